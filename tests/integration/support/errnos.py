"""What calls fail with."""
import errno
import os

import pytest


def refused(number, call, *arguments, **options):
    """The call fails with that errno."""
    with pytest.raises(OSError) as failure:
        call(*arguments, **options)
    assert errno.errorcode[failure.value.errno] == errno.errorcode[number]


def errno_of(call, *arguments, **options):
    """The errno of a call, or 0."""
    try:
        call(*arguments, **options)
    except OSError as failure:
        return failure.errno
    return 0


def made(path):
    """Whether mkdir has made it; else it has run out of time, as on a slow machine it may with a short op_timeout."""
    number = errno_of(os.mkdir, path)
    assert number in (0, errno.ETIMEDOUT), errno.errorcode[number]
    return number == 0
