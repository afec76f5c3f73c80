"""Running a detection model: providers, sessions and the detector."""
