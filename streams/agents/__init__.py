"""The Faust agents, one file each."""
