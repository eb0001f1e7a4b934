"""Small work uses one thread, and afterwards there are as many as before, whoever else asked meanwhile."""

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
