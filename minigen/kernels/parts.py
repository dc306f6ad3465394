"""How Numba compiles a part of kernels (`jit.part`): only inside each kernel that calls it.

Numba makes every function a library of machine code of its own, for Python to call, and optimises it once more inside
each caller, and again inside the callers of those. A part is typed and translated, and then left alone: the kernel it
is linked into optimises all of its parts together, once.
"""

from typing import Any, Literal

from numba.core.codegen import JITCodeLibrary
from numba.core.compiler import CompilerBase, DefaultPassBuilder
from numba.core.compiler_machinery import register_pass
from numba.core.typed_passes import NativeLowering


class PartLibrary(JITCodeLibrary):
    """LLVM code to link into other libraries, not optimised, and never given to the machine."""

    def _optimize_final_module(self) -> None:
        pass

    def _finalize_final_module(self) -> None:
        self._finalized = True


@register_pass(mutates_CFG=True, analysis_only=False)
class PartLowering(NativeLowering):
    """Translates a typed function to LLVM code in a PartLibrary."""

    _name = "part_lowering"

    def run_pass(self, state: Any) -> Literal[True]:
        name = state.func_id.func_qualname
        state.library = PartLibrary(state.targetctx.codegen(), name)
        state.flags.no_compile = True
        super().run_pass(state)

        def entry(*_: object) -> None:
            raise TypeError(f"{name} is a part of kernels, and can not be called from Python")

        state.targetctx.insert_user_function(entry, state.cr.fndesc, [state.library])  # callers find it by its entry
        state.cr = state.cr._replace(cfunc=entry)
        return True


class PartCompiler(CompilerBase):
    """Numba's usual passes, with PartLowering in the place of its own."""

    def define_pipelines(self) -> list[Any]:
        manager = DefaultPassBuilder.define_nopython_pipeline(self.state)
        manager.add_pass_after(PartLowering, NativeLowering)
        manager.passes = [entry for entry in manager.passes if entry[0] is not NativeLowering]
        manager.finalize()
        return [manager]
