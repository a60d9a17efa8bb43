"""Classifiers of frames: their losses, their training, and the predictor file that it ends in."""
