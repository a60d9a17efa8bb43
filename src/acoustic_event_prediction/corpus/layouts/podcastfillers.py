"""Where the files of a corpus in the PodcastFillers layout are; only folders are listed."""

from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath

from acoustic_event_prediction.corpus.findings import Finding, Findings
from acoustic_event_prediction.corpus.raw import (
    SPLITS,
    Listing,
    RawCorpus,
    RawEpisode,
    audio_files,
    list_folder,
)
from acoustic_event_prediction.errors import CorpusError

_ALL_ANNOTATIONS = PurePosixPath("metadata/PodcastFillers.csv")
_GET_ANNOTATIONS = (
    f"add metadata/episode_annotations/<split>/<episode>.csv or {_ALL_ANNOTATIONS}, or leave the "
    "episode out (ingestion.exclude_episodes)"
)
# In order of preference: lossless first.
_MIX_FOLDERS = ("audio/episode_wav", "audio/episode_mp3")
_TRACK_FOLDER = "audio/episode_wav_dial"

_EXPECTED = """expected below it:
  audio/episode_wav/<split>/<episode>.wav  (or audio/episode_mp3/<split>/<episode>.mp3)
  metadata/episode_annotations/<split>/<episode>.csv  (or metadata/PodcastFillers.csv for all)
and, where there are any,
  audio/episode_wav_dial/<split>/<episode>/<speaker>.wav
  metadata/episode_{transcripts,diarizations,event_speaker_mapping}/<split>/<episode>.json
with the splits train, validation, test.
To get PodcastFillers: https://zenodo.org/record/7121457 (annotations for non-commercial research).
A corpus elsewhere: kedro run --params dataset_root=/path/to/corpus,corpus=a_name"""


def find_corpus(root: Path) -> RawCorpus:
    """Return the index of all episodes that have audio.

    Raises:
        CorpusError: `root` is missing or holds no episode; says what is expected and how to get it.
    """
    if not root.is_dir():
        raise CorpusError(f"no corpus at {root.absolute()}: there is no such folder; {_EXPECTED}")
    try:
        episodes = [episode for split in SPLITS for episode in _find_episodes(root, split)]
    except OSError as error:
        raise CorpusError(
            f"{error.filename} can't be read ({error.strerror}); check the folder's permissions"
        ) from error
    if not episodes:
        raise CorpusError(f"no episode in the corpus at {root.absolute()}; {_EXPECTED}")
    return RawCorpus(
        root,
        tuple(episodes),
        root / _ALL_ANNOTATIONS,
        _GET_ANNOTATIONS,
        warnings=tuple(_without_audio(root, episodes)),
    )


def _without_audio(root: Path, episodes: Sequence[RawEpisode]) -> Iterator[Finding]:
    """Yield a warning for each split that has annotation files of episodes without audio."""
    for split in SPLITS:
        folder = root / "metadata/episode_annotations" / split
        used = {episode.annotation for episode in episodes if episode.split == split}
        unused = [
            path
            for path in list_folder(folder)
            if path.suffix.lower() == ".csv" and path not in used
        ]
        if unused:
            findings = Findings(root, "")
            findings.warn(
                folder,
                f"{len(unused)} annotation files have no audio, the first: {unused[0].name!r}",
                "put the audio there, or the file is of no use",
            )
            yield from findings.warnings


def _find_episodes(root: Path, split: str) -> list[RawEpisode]:
    mixes: dict[str, Path] = {}
    for folder in reversed(_MIX_FOLDERS):
        found = audio_files(root / folder / split)
        mixes |= {n: path for n, path in found.items() if path.is_file() or n not in mixes}
    annotations = Listing(root / "metadata/episode_annotations" / split, ".csv", mixes)
    transcripts = Listing(root / "metadata/episode_transcripts" / split, ".json", mixes)
    diarizations = Listing(root / "metadata/episode_diarizations" / split, ".json", mixes)
    mappings = Listing(root / "metadata/episode_event_speaker_mapping" / split, ".json", mixes)
    track_folders = Listing(root / _TRACK_FOLDER / split, "", mixes)
    episodes = []
    for name, audio in sorted(mixes.items()):
        tracks = track_folders.find(name)
        episodes.append(
            RawEpisode(
                split=split,
                name=name,
                audio=audio,
                tracks=audio_files(tracks) if tracks else {},
                annotation=annotations.find(name),
                transcript=transcripts.find(name),
                diarization=diarizations.find(name),
                mapping=mappings.find(name),
            )
        )
    return episodes
