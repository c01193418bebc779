"""Parameters of other libraries' layers as rnnlab's, and back: one module a library.

All functions take and return plain dicts and lists of NumPy arrays (or what NumPy takes
for one); none imports the library. A name too many or too few is refused, with the
list. The numbers are copied; where a library has two biases that are only ever added,
`from_*` adds them, and `to_*` leaves the second zero.
"""
