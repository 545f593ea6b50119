"""The Faust agents, one file each: they hand batches to lanes and do nothing else."""
