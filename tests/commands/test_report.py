"""What `psi report` refuses; the page itself is in tests/report/test_page.py."""


def test_a_folder_without_a_demo_is_refused(refused):
    refused(["report", "EMPTY"], ["EMPTY", "no finished demo"])
