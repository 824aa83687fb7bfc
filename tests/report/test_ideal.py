"""The figures of psi ideal, from small tables and from awkward ones."""


