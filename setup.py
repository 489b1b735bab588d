"""Compile every kernel in native/; all other metadata lives in pyproject.toml."""

import os

from Cython.Build import cythonize
from setuptools import Extension, setup

CORES = os.cpu_count() or 1
C_FLAGS = ["-O3", "-Wno-maybe-uninitialized"]  # gcc guesses wrongly about generated C

setup(
    ext_modules=cythonize(
        [Extension("*", ["native/**/*.pyx"], extra_compile_args=C_FLAGS)],
        nthreads=CORES,
        build_dir="build/cython",  # keep generated C out of native/
        annotate=bool(os.environ.get("CYTHON_ANNOTATE")),
        compiler_directives={"language_level": "3", "embedsignature": True, "autotestdict": False},
    ),
    options={"build_ext": {"parallel": CORES}},
)
