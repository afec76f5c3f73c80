"""Evaluation of detectors and trackers: COCO, MOTChallenge, streaming."""
