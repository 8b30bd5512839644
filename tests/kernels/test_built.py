"""The kernels are there wherever they can be built: a build that fails must not pass as a pure-Python install."""

from __future__ import annotations

import os
import shutil

import pytest

from elman.kernels import native_built

COMPILERS = (os.environ.get("CXX", "c++"), "c++", "g++", "clang++")


def test_the_kernels_are_built_where_there_is_a_compiler() -> None:
    if os.environ.get("ELMAN_TESTS_PURE"):
        assert not native_built()
        pytest.skip("this install leaves the kernels out on purpose")
    if not any(shutil.which(compiler) for compiler in COMPILERS):
        pytest.skip("no C++ compiler is installed")
    assert native_built(), "a C++ compiler is installed, but the kernels are missing: their build failed"
