"""A made-up but realistic lot: reproducible from a seed, drawn from the shares in `streams/reference/lot_data`."""
