"""The past as an expert is shown it: windows, lenses, what is known ahead, what a fit keeps."""
