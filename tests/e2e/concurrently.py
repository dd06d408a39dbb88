"""Tests that mostly wait, all at the same time."""
import concurrent.futures, functools, sys

MOST = 6  # at once


def concurrently(case):
    """A class decorator: its tests, or those that the command line names, begin together when the first of them is run,
    each on an object of its own."""
    names = [name for name in dir(case) if name.startswith("test")]
    asked = [name for name in names if any(word.split(".")[-1] == name for word in sys.argv[1:])]
    bodies = {name: getattr(case, name) for name in names}
    begun = {}

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
                begin((asked or names) if not begun else [name])
            begun[name].result()
        return wait

    for name in names:
        setattr(case, name, waiter(name))
    return case
