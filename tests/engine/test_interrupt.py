"""SIGTERM is Ctrl-C within a run, and only there."""

import os
import signal
import threading

import pytest

from genolm.engine.interrupt import stoppable


def test_sigterm_is_ctrl_c_within_the_block():
    with pytest.raises(KeyboardInterrupt, match="terminated"), stoppable():
        os.kill(os.getpid(), signal.SIGTERM)
        signal.sigtimedwait([], 1)
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL


def test_a_handler_of_the_program_is_kept():
    def own(number, frame):
        pass

    before = signal.signal(signal.SIGTERM, own)
    try:
        with stoppable():
            assert signal.getsignal(signal.SIGTERM) is own
        assert signal.getsignal(signal.SIGTERM) is own
    finally:
        signal.signal(signal.SIGTERM, before)


def test_other_threads_leave_signals_alone():
    seen = []

    def work():
        with stoppable():
            seen.append(signal.getsignal(signal.SIGTERM))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [signal.SIG_DFL]
