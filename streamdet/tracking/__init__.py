"""Tracking objects from frame to frame, and moving them between detections."""
