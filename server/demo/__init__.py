"""The demo field: a 4K clip of real tissue whose frames bear their number (docs/barcode.md)."""
