"""One worker process: claims, downloads, recognises, stores."""
