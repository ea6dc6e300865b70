"""The benchmark's HTML page: what it shows beside the metrics, its plots and its layout."""
