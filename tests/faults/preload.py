"""Libraries of the tests' own, loaded into a program before all others."""
import os, subprocess

from grid import program

HERE = os.path.dirname(os.path.abspath(__file__))


def preload(source, folder):
    """Compiles it; gives the environment. A sanitizer's runtime insists on being the first."""
    library = os.path.join(folder, source.replace(".c", ".so"))
    subprocess.run(["cc", "-D_GNU_SOURCE", "-shared", "-fPIC", "-o", library, os.path.join(HERE, source)], check=True)
    linked = subprocess.run(["ldd", program("grid-master")], capture_output=True, text=True).stdout.split()
    runtimes = [word for word in linked if "/libasan.so" in word or "/libtsan.so" in word]
    return {"LD_PRELOAD": " ".join([*runtimes, library])}
