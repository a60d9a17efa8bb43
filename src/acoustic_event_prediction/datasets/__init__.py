"""Catalog types: raw audio, frame arrays, sealed partitions, predictors, folders."""
