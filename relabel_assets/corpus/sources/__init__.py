"""Documents that live elsewhere: what a query gives, and files at an address."""
