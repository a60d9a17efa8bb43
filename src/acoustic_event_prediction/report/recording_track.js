/* Drawing; `recording.js` sets what is drawn. */
const ticks = [0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 28800, 86400];

/* The waveform and a row of scores for each user, from one time to another. */
class Track {
  constructor(element, rowHeight) {
    const canvas = element.querySelector("canvas");
    Object.assign(this, { element, rowHeight, canvas, context: canvas.getContext("2d") });
    this.cursor = element.querySelector(".cursor");
    this.layout = { wave: 46, label: 18, axis: 20 };
  }

  resize() {
    const { wave, label, axis } = this.layout;
    const ratio = window.devicePixelRatio || 1;
    this.width = this.element.clientWidth;
    this.height = wave + users.length * (label + this.rowHeight) + axis;
    this.canvas.width = Math.round(this.width * ratio);
    this.canvas.height = Math.round(this.height * ratio);
    this.canvas.style.height = `${this.height}px`;
    this.context.setTransform(this.canvas.width / this.width, 0, 0, this.canvas.height / this.height, 0, 0);
  }

  draw(start, end) {
    const { context, width, height, rowHeight } = this;
    const { wave, label } = this.layout;
    Object.assign(this, { start, end });
    context.clearRect(0, 0, width, height);
    context.fillStyle = "#e4e4e4";
    context.fillRect(0, 0, this.xOf(0), height);
    context.fillRect(this.xOf(duration), 0, width, height);
    this.drawWave(wave / 2, wave / 2 - 3);
    users.forEach((user, row) => {
      const top = wave + row * (label + rowHeight);
      this.drawUser(user, top + label, rowHeight);
      this.write(user.name, 4, top + label - 5, "#1b1b1b", width - 8);
    });
    this.drawAxis();
  }

  moveCursor(seconds) {
    this.cursor.style.transform = `translateX(${this.xOf(seconds)}px)`;
  }

  xOf(seconds) {
    return clamp((seconds - this.start) / (this.end - this.start), 0, 1) * this.width;
  }

  secondsAt(x) {
    return this.start + (x / this.width) * (this.end - this.start);
  }

  /* The highest value in each column of pixels; null outside the recording. */
  columns(values) {
    const count = this.canvas.width;
    const step = (this.end - this.start) / count;
    return Array.from({ length: count }, (_, column) => {
      const from = this.start + column * step;
      if (from + step <= 0 || from >= duration) { return null; }
      const stop = frameAt(from + step - 2e-6 * frameSeconds);
      let highest = 0;
      for (let frame = frameAt(from); frame <= stop; frame += 1) {
        highest = Math.max(highest, values[frame]);
      }
      return highest;
    });
  }

  /* A path of steps through the columns, and the same filled down to the base. */
  drawSteps(highest, base, scale, color) {
    const { context } = this;
    const step = this.width / highest.length;
    const line = new Path2D(), area = new Path2D();
    let last = null;
    highest.concat(null).forEach((value, column) => {
      if (value === last) { return; }
      const x = column * step;
      if (last !== null) {
        line.lineTo(x, base - last * scale);
        area.lineTo(x, base - last * scale);
      }
      if (value === null) {
        area.lineTo(x, base);
      } else {
        if (last === null) { line.moveTo(x, base - value * scale); area.moveTo(x, base); }
        line.lineTo(x, base - value * scale);
        area.lineTo(x, base - value * scale);
      }
      last = value;
    });
    context.fillStyle = `${color}40`;
    context.fill(area);
    context.strokeStyle = color;
    context.lineWidth = 1.5;
    context.stroke(line);
  }

  drawWave(middle, half) {
    const { context } = this;
    const step = this.width / this.canvas.width;
    context.fillStyle = "#707070";
    this.columns(peaks).forEach((peak, column) => {
      if (peak !== null) {
        const size = Math.max(peak * half, 0.5);
        context.fillRect(column * step, middle - size, step, 2 * size);
      }
    });
  }

  drawUser(user, top, height) {
    const { context } = this;
    const base = top + height - 1, scale = (height - 5) / scoreLimit;
    const shown = user.alarms.filter(([, onset, offset]) => offset >= this.start && onset <= this.end);
    for (const [, onset, offset] of shown) {
      const x = this.xOf(onset), size = Math.max(this.xOf(offset) - x, 2);
      context.fillStyle = "rgba(213, 94, 0, .3)";
      context.fillRect(x, top, size, height);
      context.fillStyle = "#b84a00";
      context.fillRect(x, top, size, 4);
    }
    this.drawSteps(this.columns(user.scores), base, scale, user.color);
    this.drawLine(base, "#8a8a8a", []);
    if (threshold !== null) { this.drawLine(clamp(base - threshold * scale, top, base), "#1b1b1b", [5, 4]); }
  }

  drawLine(y, color, dashes) {
    const { context } = this;
    context.beginPath();
    context.setLineDash(dashes);
    context.moveTo(0, Math.round(y) + 0.5);
    context.lineTo(this.width, Math.round(y) + 0.5);
    context.lineWidth = 1;
    context.strokeStyle = color;
    context.stroke();
    context.setLineDash([]);
  }

  drawAxis() {
    const { context, start, end, width, height } = this;
    const room = duration < 3600 ? 60 : 76;
    const step = ticks.find((each) => (each / (end - start)) * width >= room) || ticks[ticks.length - 1];
    const last = Math.floor(Math.min(end, duration) / step + 1e-9);
    for (let tick = Math.max(0, Math.ceil(start / step - 1e-9)); tick <= last; tick += 1) {
      const text = clock(tick * step, step < 1), x = this.xOf(tick * step);
      context.fillStyle = "#595959";
      context.fillRect(x - 0.5, height - this.layout.axis, 1, 4);
      context.font = "12px system-ui, sans-serif";
      const half = context.measureText(text).width / 2;
      this.write(text, clamp(x - half, 2, width - 2 * half - 2), height - 4, "#595959", width);
    }
  }

  write(text, x, y, color, room) {
    const { context } = this;
    context.font = "12px system-ui, sans-serif";
    context.fillStyle = color;
    let line = text.slice(0, 300);
    while (line.length > 1 && context.measureText(line).width > room) {
      line = `${line.slice(0, Math.floor(line.length * 0.9) - 1)}…`;
    }
    context.fillText(line, x, y);
  }
}
