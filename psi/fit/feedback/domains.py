"""Domains of the atlas on which searched laws are compared: nothing is searched on them.

Two generators (a teacher, a text) and a third of the real tables, named before any search.
"""

VALIDATION = frozenset({
    "teacher", "licences", "autompg", "wine", "keel/abalone", "keel/car", "keel/contraceptive",
    "keel/credit_approval", "keel/german", "keel/kr-vs-k", "keel/letter", "keel/monk-2",
    "keel/page-blocks0", "keel/saheart", "keel/splice", "keel/twonorm", "keel/yeast",
})  # fmt: skip
