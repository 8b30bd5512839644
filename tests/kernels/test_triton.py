"""The Triton kernels: in Triton's interpreter on any machine, compiled for a GPU, and on one where there is one.

The interpreter has to be asked for before Triton is imported, so triton_cases.py and triton_wide_cases.py run in a
process of their own.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="PyTorch is not installed", exc_type=ImportError)
triton = pytest.importorskip("triton", reason="Triton is not installed", exc_type=ImportError)

from elman.kernels import triton_modules  # noqa: E402

if tuple(map(int, triton.__version__.split(".")[:2])) < triton_modules.OLDEST_TRITON:
    pytest.skip("Triton is older than the kernels need", allow_module_level=True)

from elman.config import ACTIVATIONS  # noqa: E402
from elman.kernels import triton_recurrence as kernels  # noqa: E402
from elman.kernels import triton_softmax as softmax  # noqa: E402
from elman.kernels import triton_update as updates  # noqa: E402
from elman.kernels import triton_wide as wide  # noqa: E402

CASES = [Path(__file__).parents[1] / "support" / f"triton_{name}cases.py" for name in ("", "wide_", "step_")]
SHARED_BYTES = 99 * 1024
"""What a program may have on the smallest of the compute capabilities 8.0 to 9.0."""
POINTERS = {torch.float32: "*fp32", torch.bfloat16: "*bf16"}
TYPES = {"*fp32", "*bf16", "*fp64", "*i32", "*i64", "i32", "fp32"}
ALL_TYPES = pytest.mark.parametrize(
    ("dtype", "factors", "precision"),  # of the states, of W_h, and of the products
    [
        (torch.float32, torch.float32, "ieee"), (torch.float32, torch.float32, "tf32"),
        (torch.bfloat16, torch.bfloat16, "ieee"), (torch.float32, torch.bfloat16, "ieee"),
    ],
)  # fmt: skip


def run_cases(interpret: str, *chosen: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *map(str, CASES), *chosen],
        env=os.environ | {"TRITON_INTERPRET": interpret}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_every_kernel_in_the_interpreter() -> None:
    summary = run_cases("1").splitlines()[-1]
    assert "passed" in summary
    assert "skipped" not in summary


@pytest.mark.skipif(not torch.cuda.is_available(), reason="PyTorch sees no GPU here")
def test_every_kernel_on_a_gpu() -> None:
    assert "passed" in run_cases("0")


def test_an_older_triton_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ELMAN_TRITON", raising=False)
    assert triton_modules.find_triton_module("cuda", "recurrence") is kernels
    for version in ("3.2.0", "2.3.1+git"):
        monkeypatch.setattr(triton, "__version__", version)
        assert triton_modules.find_triton_module("cuda", "recurrence") is None


@pytest.mark.parametrize("unwanted", [{"TRITON_INTERPRET": "0"}, {"TRITON_INTERPRET": "1", "ELMAN_TRITON": "0"}])
def test_triton_is_not_imported_for_tensors_of_a_cpu_nor_where_it_is_not_wanted(unwanted: dict[str, str]) -> None:
    code = (
        "import sys, torch\nfrom elman.kernels import device_kernels, torch_recurrence\n"
        "there = 'triton' in sys.modules\n"
        "x = torch.zeros(2, 2)\ntorch_recurrence.recurrence(x[None], x, x, 'tanh')\n"
        "device_kernels('cpu').cross_entropy_gradient(x, x, x[0], torch.zeros(2, dtype=torch.int64))\n"
        "assert 'elman.kernels.triton_recurrence' not in sys.modules and ('triton' in sys.modules) == there"
    )
    subprocess.run([sys.executable, "-c", code], check=True, env=os.environ | unwanted)


@pytest.fixture
def compiled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Compiles a kernel for a compute capability; no GPU is needed for that. Numbers are given by type or by value.

    multiples: names of what is known to be a multiple of 16.
    """
    if kernels.INTERPRETED:
        pytest.skip("TRITON_INTERPRET is set: nothing is compiled in this process")
    monkeypatch.setenv("TRITON_CACHE_DIR", str(tmp_path))

    def compile_(
        kernel: Any, capability: int, options: dict[str, Any], multiples: tuple[str, ...] = (), **arguments: Any
    ) -> Any:
        launch = {"num_warps", "num_stages", "enable_fp_fusion", "launch_cooperative_grid"}
        values = {name: value for name, value in (arguments | options).items() if name not in launch}
        types = {name: value for name, value in values.items() if value in TYPES}
        return triton.compile(
            triton.compiler.ASTSource(
                fn=kernel,
                signature={name: types.get(name, "constexpr") for name in kernel.arg_names},
                constexprs={name: value for name, value in values.items() if name not in types},
                attrs={(kernel.arg_names.index(name),): [["tt.divisibility", 16]] for name in multiples},
            ),
            target=triton.backends.compiler.GPUTarget("cuda", capability, 32),
            options={name: value for name, value in options.items() if name in launch},
        )

    return compile_


@pytest.mark.parametrize("capability", [80, 90])
@ALL_TYPES
@pytest.mark.parametrize(("Dh", "activation"), [(1, "tanh"), (33, "relu"), (128, "sigmoid"), (256, "tanh")])
def test_recurrences_compile_for_a_gpu(
    compiled: Any, Dh: int, activation: str, dtype: Any, factors: Any, precision: str, capability: int
) -> None:
    state, W_h = POINTERS[dtype], POINTERS[factors]
    assert activation in ACTIVATIONS
    options = kernels.options(torch.empty(Dh, Dh, dtype=factors), precision) | {"ACTIVATION": activation}
    one = 1 if Dh == 1 else "i32"  # Triton takes a 1 for a constant of the program
    sizes = {"T": one, "B": one, "Dh": one}
    found = compiled(
        kernels.recurrence_program, capability, options, u=state, W_h=W_h, h=state, **sizes, along="i32", across=1
    )
    backward = compiled(
        kernels.recurrence_gradient_program, capability, options, dh=state, h=state, W_h=W_h, dz=state, **sizes,
        along=1, across="i32", cut="fp32", CUT=True,
    )  # fmt: skip
    for kernel in (found, backward):
        assert kernel.metadata.shared <= SHARED_BYTES
        assert ("mma.sync" in kernel.asm["ptx"]) == (precision == "tf32" or factors == torch.bfloat16)


@ALL_TYPES
@pytest.mark.parametrize(("B", "Dh", "capability"), [(1, 1001, 80), (128, 1024, 90), (128, 2048, 80), (128, 4096, 90)])
def test_recurrences_of_many_units_compile_for_a_gpu(
    compiled: Any, B: int, Dh: int, dtype: Any, factors: Any, precision: str, capability: int
) -> None:
    state, W_h, even = POINTERS[dtype], POINTERS[factors], Dh % 16 == 0
    options = wide.options(torch.empty(0, B, Dh, dtype=dtype), torch.empty(Dh, Dh, dtype=factors), precision)
    options |= {"ACTIVATION": "tanh"}
    sizes = {"arrived": "*i32", "first": "i32", "last": "i32", "B": 1 if B == 1 else "i32", "Dh": "i32"}
    found = compiled(
        wide.recurrence_program, capability, options, ("u", "W_h", "h", "B", "Dh", "across") if even else (),
        u=state, W_h=W_h, h=state, **sizes, along=1, across="i32",
    )  # fmt: skip
    backward = compiled(
        wide.recurrence_gradient_program, capability, options,
        ("dh", "h", "W_h", "dz", "B", "Dh", "along") if even else (),
        dh=state, h=state, W_h=W_h, dz=state, **sizes, along="i32", across=1, cut="fp32", CUT=True,
    )  # fmt: skip
    for kernel in (found, backward):
        assert kernel.metadata.shared <= SHARED_BYTES
        assert kernel.metadata.launch_cooperative_grid
        code = kernel.asm["ptx"]
        on_tensor_cores = precision == "tf32" or factors == torch.bfloat16
        assert ("mma.sync" in code or "wgmma" in code) == on_tensor_cores
        # what other programs store is read past the first-level cache
        assert "ld.global.nc" not in code
        assert ("cp.async.cg" if even else "ld.global.cg") in code
        if not (precision == "tf32" and "wgmma" in code):  # there it is W_h, of which numbers turn one by one
            assert "cp.async.ca" not in code
        before, _, after = code.partition("gpu.release")
        assert "bar.sync" in before[before.rindex("st.global") :]
        assert "bar.sync" in after[after.index("gpu.acquire") :]


@pytest.mark.parametrize("V", [1, 1000, 50_000])
def test_the_softmax_compiles_for_a_gpu(compiled: Any, V: int) -> None:
    one = 1 if V == 1 else "i32"
    compiled(
        softmax.softmax_program, 80, softmax.options(V), theta="*fp32", y="*i64", J="*fp64", delta1="*bf16", V=one,
        scale="fp32",
    )  # fmt: skip


@pytest.mark.parametrize("rows", [False, True])
def test_the_updates_compile_for_a_gpu(compiled: Any, rows: bool) -> None:
    sizes = {"width": "i32", "blocks": "i32", "index": "*i64" if rows else None}
    options = {"ROWS": rows} | updates.OPTIONS
    compiled(updates.sgd_program, 80, options, w="*fp32", g="*fp32", rate="*fp64", **sizes)
    arrays = dict.fromkeys("wgmv", "*fp32") | dict.fromkeys(("rate", "eps", "scale"), "*fp64")
    betas = dict.fromkeys(("beta_1", "rest_1", "beta_2", "rest_2"), "fp32")
    compiled(updates.adam_program, 80, options, **arrays, **betas, **sizes)
