"""Selection of kernels for a run: trials of a network's shapes, timed within a share of the run time, and cached.

Only CPUs have candidates; on other devices torch selects kernels itself.

Shapes: B rows, H query heads, K key-value heads, L positions, D width of a head, N rows of a product.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor

from genolm.models.kernels.compiled import has_compiler
from genolm.models.kernels.kernel_cache import Machine, add_timings, processor_name, read_timings
from genolm.models.kernels.kernels import Kernels, Operation, pinned_kernels
from genolm.models.kernels.measurement import Trial, measure
from genolm.models.linear import LINEAR, has_onednn, linear_case
from genolm.models.networks.attention.attention import (
    ATTENTION,
    TRAINED_ATTENTION,
    attention_case,
    default_attention,
    default_trained_attention,
)
from genolm.models.networks.attention.step_attention import STEP_ATTENTION, StepAttention, default_step_attention
from genolm.models.networks.decoder import Decoder, DecoderLayer
from genolm.models.networks.decoder_config import DecoderConfig
from genolm.models.networks.experts import EXPERTS, GATE, MixtureOfExperts
from genolm.models.networks.network import Network
from genolm.models.networks.packed_linear import STEP_LINEAR, can_pack, default_step_linear, step_linear_case
from genolm.models.networks.stepping import is_plain, step_dtype, step_weights
from genolm.models.norm import NORM

SHARE = 0.02
"""Largest share of the estimated run time that measuring may take."""

_OPERATIONS_PER_SECOND = {torch.float32: 2e11, torch.bfloat16: 5e11}
# Of one thread of a fast CPU: on a slower one, the run takes longer, and measuring takes a smaller share of it.
_LONGEST_PROXY = 4096  # tokens; longer inputs are represented by this many
_PROXY_TOKENS, _TRAINED_TOKENS = 2048, 8192  # tokens of a proxy of several short rows
_PROXY_ROWS = 512
_LONG_RUN = 600.0  # seconds of a run from which on compiled kernels are timed
_PROXY_KV_HEADS = 2
_STEP_ROWS = 16  # sequences that are stepped together
_STEP_POSITIONS = 256
_STEP_CALLS = 8


def select_kernels(
    network: Network,
    lengths: Sequence[int],
    tokens: int,
    *,
    dtype: torch.dtype | None = None,
    training: bool = False,
) -> Kernels:
    """Select the kernels of a run: those that are pinned, else from the cache, else by timing the candidates.

    Args:
        network: network of the run, in its precision and on its device.
        lengths: tokens of some of the windows or rows of the run, the most frequent lengths first.
        tokens: tokens of the whole run, for an estimate of its time; at most 2 % of that are spent.
        dtype: precision of the computation; None for that of the weights.
        training: whether the run trains the network.

    Raises:
        InputError: the environment variable ``GENOLM_KERNELS`` is invalid.
    """
    pinned = pinned_kernels()
    weight = next(network.parameters())
    if pinned is not None or weight.device.type != "cpu":
        return pinned or Kernels()
    machine = this_machine()
    dtype = dtype or weight.dtype
    seconds = estimated_seconds(network, tokens, dtype, training=training)
    long = seconds >= _LONG_RUN and has_compiler()
    trials = {one.case: one for one in network_trials(network, lengths, dtype, training=training, compiled=long)}
    known = {
        case: timing
        for case, timing in read_timings(machine).items()
        if case in trials and timing.chosen in trials[case].candidates
    }
    missing = [trial for case, trial in trials.items() if case not in known]
    new = measure(missing, SHARE * seconds) if missing else {}
    if new:
        add_timings(machine, new)
    chosen = {case: timing.chosen for case, timing in {**known, **new}.items()}
    return Kernels(tuple(sorted((case, name) for case, name in chosen.items() if name != trials[case].default)))


def this_machine() -> Machine:
    """Return what timings on this machine depend on, with the present number of threads."""
    return Machine(
        processor_name(), torch.backends.cpu.get_cpu_capability(), torch.get_num_threads(), str(torch.__version__)
    )


def estimated_seconds(network: Network, tokens: int, dtype: torch.dtype, *, training: bool = False) -> float:
    """Return a low estimate of the time of a run: the products with the weights, on a fast CPU with these threads."""
    rate = _OPERATIONS_PER_SECOND.get(dtype, 2e11) * torch.get_num_threads()
    return (6 if training else 2) * network.config.active_parameters * tokens / rate


def network_trials(
    network: Network, lengths: Sequence[int], dtype: torch.dtype, *, training: bool = False, compiled: bool = False
) -> Iterator[Trial]:
    """Yield the trials of a network's operations, the most important first.

    Args:
        network: network on a CPU.
        lengths: lengths in tokens, the most frequent first.
        dtype: precision of the computation.
        training: whether gradients are computed.
        compiled: whether to time compiled kernels as well; compiling takes some seconds for each.
    """
    yield from _linear_trials(network, dtype, training)
    if isinstance(network, Decoder):
        yield from _attention_trials(network.config, lengths, dtype, training)
        yield from _expert_trials(network, dtype)
        if not training and is_plain(network):
            yield from _step_trials(network)
        if not training and compiled:
            yield from _compiled_trials(network.config, dtype)


def _linear_trials(network: Network, dtype: torch.dtype, training: bool) -> Iterator[Trial]:
    weights = [weight for name, weight in network.named_parameters() if name.startswith("layers.") and weight.ndim > 1]
    largest = max(weights, key=lambda weight: weight.shape[-2:].numel()).detach()
    weight_OI = largest if largest.ndim == 2 else largest[0]
    if dtype == torch.float32 and has_onednn(torch.empty(1, weight_OI.shape[1]), weight_OI):

        def prepare() -> tuple[Tensor, Tensor]:
            return torch.randn(_PROXY_ROWS, weight_OI.shape[1]), weight_OI

        yield _trial(LINEAR, linear_case(training), "torch", prepare, training)


def _attention_trials(
    config: DecoderConfig, lengths: Sequence[int], dtype: torch.dtype, training: bool
) -> Iterator[Trial]:
    for length in lengths:
        # Without gradients also what follows a cache: chunks of a window, and alternative continuations beyond its end.
        continued = [] if training else [(max(2, length // 4), length), (length // 2, 2 * length)]
        for queries, keys in ((length, length), *continued):
            whole = _attention_tensors(config, dtype, queries, keys, "meta")
            proxy = partial(_proxy, config, dtype, queries, keys, _TRAINED_TOKENS if training else _PROXY_TOKENS)
            case = attention_case(whole[0], whole[1], masked=False)
            if training:
                yield _trial(TRAINED_ATTENTION, case, default_trained_attention(dtype), proxy, training)
            else:
                default = default_attention(whole[0], whole[1], masked=False)
                yield _trial(ATTENTION, case, default, proxy, training)


def _attention_tensors(
    config: DecoderConfig, dtype: torch.dtype, queries: int, keys: int, device: str, rows: int = 1, kv_heads: int = 0
) -> tuple[Tensor, Tensor, Tensor]:
    kv_heads = kv_heads or config.num_kv_heads
    heads = kv_heads * config.num_heads // config.num_kv_heads
    make = partial(torch.randn, dtype=dtype, device=device)
    k_BKLD, v_BKLD = (make(rows, kv_heads, keys, config.head_dim) for _ in range(2))
    return make(rows, heads, queries, config.head_dim), k_BKLD, v_BKLD


def _proxy(
    config: DecoderConfig, dtype: torch.dtype, queries: int, keys: int, tokens: int
) -> tuple[Tensor, Tensor, Tensor]:
    """Return queries, keys and values of a shorter input and of fewer heads, to represent a class of shapes."""
    shorter = min(keys, _LONGEST_PROXY)
    rows, kv_heads = max(1, tokens // shorter), min(_PROXY_KV_HEADS, config.num_kv_heads)
    return _attention_tensors(config, dtype, max(2, queries * shorter // keys), shorter, "cpu", rows, kv_heads)


def _expert_trials(network: Decoder, dtype: torch.dtype) -> Iterator[Trial]:
    mixture = next((module for module in network.modules() if isinstance(module, MixtureOfExperts)), None)
    if mixture is None or dtype != mixture.gate_up.dtype:
        return
    gate_up_EFD, down_EDF, chosen = mixture.gate_up.detach(), mixture.down.detach(), mixture.experts_per_token

    def prepare() -> tuple[Tensor, ...]:
        chosen_NC = torch.rand(_PROXY_ROWS, len(gate_up_EFD)).argsort(-1)[:, :chosen]
        x_ND = torch.randn(_PROXY_ROWS, gate_up_EFD.shape[2], dtype=dtype)
        return x_ND, torch.full(chosen_NC.shape, 1 / chosen), chosen_NC, gate_up_EFD, down_EDF

    yield _trial(EXPERTS, str(dtype).removeprefix("torch."), "by expert", prepare, training=False)


def _compiled_trials(config: DecoderConfig, dtype: torch.dtype) -> Iterator[Trial]:
    case = str(dtype).removeprefix("torch.")
    make = partial(torch.randn, dtype=dtype)

    def norm() -> tuple[Tensor, Tensor, float]:
        return make(1, _PROXY_TOKENS, config.hidden_size), make(config.hidden_size), config.norm_eps

    def gate() -> tuple[Tensor, Tensor]:
        return make(_PROXY_TOKENS, config.ffn_size), make(_PROXY_TOKENS, config.ffn_size)

    yield _trial(NORM, case, "eager", norm, training=False)
    yield _trial(GATE, case, "eager", gate, training=False)


def _step_trials(network: Decoder) -> Iterator[Trial]:
    """Yield the trials of one step of some sequences: the different products, and attention."""
    dtype, layer = step_dtype(network), network.layers[0]
    assert isinstance(layer, DecoderLayer)
    for group in (*step_weights(layer), (network.head.weight,)):
        if can_pack(group[0].to(dtype)):
            yield _step_linear_trial(group, dtype)
    yield _step_attention_trial(network.config, dtype)


def _step_linear_trial(group: Sequence[Tensor], dtype: torch.dtype) -> Trial:
    shape = torch.empty(sum(len(weight) for weight in group), group[0].shape[1], dtype=dtype, device="meta")

    def prepare() -> dict[str, Callable[[], object]]:
        weight_OI = torch.cat([weight.detach().to(dtype) for weight in group])
        x_NI = torch.randn(_STEP_ROWS, weight_OI.shape[1], dtype=dtype)
        made = {name: make(weight_OI, _STEP_ROWS) for name, make in STEP_LINEAR.candidates.items()}
        return {name: _repeated(partial(product, x_NI)) for name, product in made.items()}

    case = f"{STEP_LINEAR.name} {step_linear_case(shape)}"
    return Trial(case, default_step_linear(shape), tuple(STEP_LINEAR.candidates), prepare)


def _step_attention_trial(config: DecoderConfig, dtype: torch.dtype) -> Trial:
    heads, width = _STEP_ROWS * config.num_kv_heads, config.head_dim

    def work(kind: type[StepAttention]) -> Callable[[], object]:
        memory, hidden_N1C = kind(), torch.zeros(heads, 1, _STEP_POSITIONS, dtype=dtype)
        k_NCE, v_NCE = (torch.randn(heads, _STEP_POSITIONS, width, dtype=dtype) for _ in range(2))
        q_NGE = torch.randn(heads, config.num_heads // config.num_kv_heads, width, dtype=dtype)
        memory.remember(k_NCE, v_NCE)
        memory.grow(0)
        return _repeated(lambda: memory.attend(q_NGE, k_NCE[:, 0], v_NCE[:, 0], hidden_N1C, 0))

    def prepare() -> dict[str, Callable[[], object]]:
        return {name: work(kind) for name, kind in STEP_ATTENTION.candidates.items()}

    case, default = str(dtype).removeprefix("torch."), default_step_attention(dtype)
    return Trial(f"{STEP_ATTENTION.name} {case}", default, tuple(STEP_ATTENTION.candidates), prepare)


def _trial(
    operation: Operation[Callable[..., Tensor]],
    case: str,
    default: str,
    arguments: Callable[[], tuple[Any, ...]],
    training: bool,
) -> Trial:
    def prepare() -> dict[str, Callable[[], object]]:
        made = arguments()
        return {name: partial(_compute, kernel, made, training) for name, kernel in operation.candidates.items()}

    return Trial(f"{operation.name} {case}", default, tuple(operation.candidates), prepare)


def _compute(kernel: Callable[..., Tensor], arguments: tuple[Any, ...], training: bool) -> None:
    """Compute once; in training with the gradients of all arguments."""
    if not training:
        with torch.inference_mode():
            kernel(*arguments)
        return
    with torch.enable_grad():
        kernel(*(argument.detach().requires_grad_() for argument in arguments)).sum().backward()


def _repeated(work: Callable[[], object]) -> Callable[[], None]:
    """Return a function that does short work several times, so that the clock can tell candidates apart."""

    def repeated() -> None:
        with torch.inference_mode():
            for _ in range(_STEP_CALLS):
                work()

    return repeated
