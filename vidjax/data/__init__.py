"""Video data: manifests, decoding, sampling, transforms, prepared data sets and pipelines."""
