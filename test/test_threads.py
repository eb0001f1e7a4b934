"""Small work uses one thread, and afterwards there are as many as before, whoever else asked meanwhile."""

from threading import Event, Thread

import torch
from threadpoolctl import ThreadpoolController, threadpool_limits

from segvec3d_core.threads import single_thread


def threads() -> int:
    return max(library["num_threads"] for library in ThreadpoolController().select(user_api="blas").info())


def test_work_that_overlaps_in_time_leaves_as_many_threads_as_there_were():
    with threadpool_limits(2, "blas"):
        before = threads()
        one, other = single_thread(), single_thread()
        one.__enter__()
        other.__enter__()
        assert threads() == 1
        one.__exit__(None, None, None)
        assert threads() == 1, "the other one is still at work"
        other.__exit__(None, None, None)
        assert threads() == before


def test_torch_has_as_many_threads_afterwards_in_each_thread_that_worked():
    begun, ended, counts = Event(), Event(), []

    def other() -> None:
        torch.set_num_threads(2)
        with single_thread():
            begun.set()
            ended.wait(10)
        counts.append(torch.get_num_threads())

    before = torch.get_num_threads()
    worker = Thread(target=other)
    with single_thread():
        worker.start()
        assert begun.wait(10)
        assert torch.get_num_threads() == 1
    assert torch.get_num_threads() == before
    ended.set()
    worker.join()
    assert counts == [2]
