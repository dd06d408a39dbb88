"""Tests that mostly wait, all at the same time."""
import concurrent.futures, functools

MOST = 6  # at once


def concurrently(case):
    """A class decorator: those of its tests that were asked for begin together when the first of them is run, each on
    an object of its own."""
    names = [name for name in dir(case) if name.startswith("test")]
    bodies = {name: getattr(case, name) for name in names}
    create = case.__init__
    chosen, begun = {}, {}

    @functools.wraps(create)
    def choose(self, name="runTest"):
        """unittest makes an object of each test that was asked for before it runs the first."""
        create(self, name)
        chosen[name] = True

    def run(name):
        private = case(name)
        try:
            private.setUp()
            bodies[name](private)
        finally:
            private.doCleanups()

    def begin(chosen):
        pool = concurrent.futures.ThreadPoolExecutor(MOST)
        begun.update((name, pool.submit(run, name)) for name in chosen)
        pool.shutdown(wait=False)

    def waiter(name):
        @functools.wraps(bodies[name])
        def wait(self):
            if name not in begun:
                begin([n for n in chosen if n not in begun])
            begun[name].result()
        return wait

    case.__init__ = choose
    for name in names:
        setattr(case, name, waiter(name))
    return case
