"""A trained predictor on recordings that it has never heard: files, or samples in memory."""
