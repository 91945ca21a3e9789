"""What the preprocessor makes of compact OpenCL is what was written."""

import re
import subprocess
from pathlib import Path

import pytest

from mobilebench.schedules import opencl_source
from mobilebench.schedules.opencl_source import compact
from mobilebench.targets.toolchains.toolchain import find_toolchain
from tests.schedules.test_pipeline import planned

KERNEL = """\
#ifdef cl_khr_fp16
#pragma OPENCL EXTENSION cl_khr_fp16 : enable
#endif
__kernel void other(__global float* restrict a, __global float* restrict b);
// Function: scale
__kernel void scale(__global float* restrict a, __global float* restrict b) {
  /* as often as a macro is worth it */
""" + "".join(
    f"""
  #pragma unroll
  for (int ax_{n} = 0; ax_{n} < 4; ++ax_{n}) {{
    float4 b_ = (({n} <= ax_{n}) && (ax_{n} != 1)) ? vload4(0, a + ((ax_{n} * 4) >> 1)) : 0.0e+00f;
    a[(ax_{n} << 2)] = b_.s0 - -1.500000e-01f; a[ax_{n}] += .5f; a[0]--; a[1] = +a[1] & ~0x1fu;
  }}
"""
    for n in range(9)
) + "a[7] = 0x2e + 1;\n}\n"  # fmt: skip


def tokens(source: str) -> list[str]:
    """Return the tokens that a C preprocessor leaves, pragmas among them."""
    compiler = find_toolchain("host").compiler
    command = [*compiler, "-E", "-P", "-x", "c", "-Dcl_khr_fp16", "-"]
    done = subprocess.run(command, input=source, capture_output=True, text=True, check=True)
    words = r"[A-Za-z_]\w*|\.?\d(?:[eEpP][+-]|[\w.])*"
    return re.findall(rf"{words}|<<=|>>=|\+\+|--|->|&&|\|\||<<|>>|[-+*/%&|^<>=!]=|\S", done.stdout)


def without_others(source: str) -> str:
    return re.sub(r"__kernel void \w+\([^{}]*\);", "", source)


def test_preprocessor_restores_the_tokens() -> None:
    short = compact(KERNEL)
    assert len(short) < 0.6 * len(KERNEL)
    assert "other" not in short
    assert tokens(short) == tokens(without_others(KERNEL))
    assert tokens(short).count("pragma") == 10


def test_macro_names_are_not_in_the_text() -> None:
    """`b_` would be the second of all names."""
    names = re.findall(r"^#define (\w+)", compact(KERNEL), re.MULTILINE)
    assert len(set(names)) == len(names) > 10
    assert not set(names) & set(re.findall(r"\w+", KERNEL))


@pytest.mark.parametrize(
    "line",
    [
        "int x_{n} = as_int(a[{n}]) + as_int((a[{n}]));",
        'printf("a  {n}");',
        "#define F{n}(x) (x)",
        "int y_{n} = \\\n 5;",
    ],
)
def test_text_that_macros_would_break_is_kept(line: str) -> None:
    source = "\n".join(line.replace("{n}", str(n)) for n in range(30))
    assert compact(source) == source


def test_a_removed_comment_leaves_a_space() -> None:
    assert tokens(compact("int/* c */x; a +/* c */+ b; // the end")) == [
        *("int", "x", ";", "a", "+", "+", "b", ";"),
    ]


def test_repeats_between_pragmas_are_found() -> None:
    source = "#pragma unroll\nfor (;;) {\n}\n" * 50 + KERNEL
    assert len(compact(source)) < len("#pragma unroll\n") * 50 + 0.7 * len(KERNEL)


def test_only_kernel_declarations_are_removed() -> None:
    source = "__kernel void a(int x);\ntypedef float real;\n__kernel void b(int x);\n"
    assert tokens(compact(source)) == ["typedef", "float", "real", ";"]


@pytest.mark.parametrize("source", ["", "\n", "int a;", "__kernel void one() {}"])
def test_short_text_is_kept(source: str) -> None:
    assert tokens(compact(source)) == tokens(source)


@pytest.mark.slow
def test_a_network_s_source_shrinks_to_a_quarter(
    cache_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mobilebench.schedules import pipeline

    _, plan, handle = planned("mobilenet_v2_0.35_64", cache_dir, "mali", precision="float16")
    written: dict[str, str] = {}

    def noted(source: str) -> str:
        written[source] = compact(source)
        return written[source]

    monkeypatch.setattr(opencl_source, "compact", noted)
    pipeline.build(plan, handle)
    assert len(written) > 20
    for source, short in written.items():
        assert tokens(short) == tokens(without_others(source))
    assert 4 * sum(map(len, written.values())) < sum(map(len, written))
