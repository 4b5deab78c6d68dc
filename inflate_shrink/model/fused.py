"""The steps of a Transformer layer with gradients of their own on the CPU, by the compiled kernel.

Each is a few of Paddle's operators at once, to rounding; these run where there is no gradient, on GPUs, in half
precision, in graphs that are exported and where the kernel was not built.
"""

from __future__ import annotations

import math

import paddle
from paddle.autograd import PyLayer

from ..kernel import training as kernel
from ..kernel.training import Dropout
from ..scoring.by_kernel import by_kernel


def applies(*tensors: paddle.Tensor) -> bool:
    """Return whether the kernel computes with these, and a gradient is wanted."""
    return paddle.is_grad_enabled() and by_kernel(*tensors)


def linear(x, weight, bias):
    """Return x @ weight + bias; x: (..., n), weight: (n, m)."""
    return _Linear.apply(x, weight, bias, False)


def linear_gelu(x, weight, bias):
    """Return the GELU of x @ weight + bias."""
    return _Linear.apply(x, weight, bias, True)


def normalise(x, norm: paddle.nn.LayerNorm):
    """Return ``norm(x)``, by the kernel where it applies; x: (..., D)."""
    if not applies(x, norm.weight):
        return norm(x)
    return _AddAndNormalise.apply(x, None, norm.weight, norm.bias, None, norm._epsilon)


def add_and_normalise(x, branch, dropout: Dropout | None, norm: paddle.nn.LayerNorm):
    """Return ``norm(x + dropout(branch))``; both (..., D)."""
    return _AddAndNormalise.apply(x, branch, norm.weight, norm.bias, dropout, norm._epsilon)


def add_rows(words, filled, rows):
    """Return words (B, n, D) + rows (n, D); where ``filled`` (B, n) float32 is 0 words get no gradient."""
    return _AddRows.apply(words, filled, rows)


def attend(query, key, value, bias, dropout: Dropout | None):
    """Return dropout(softmax(query @ key / sqrt(d) + bias)) @ value, (B, heads, q, d).

    query: (B, heads, q, d); key, value: (B, heads, L, d); bias: (B, L), added to the logits.
    """
    return _Attend.apply(query, key, value, bias, dropout)


class _Linear(PyLayer):
    @staticmethod
    def forward(ctx, x, weight, bias, is_gelu):
        product = paddle.matmul(x, weight)
        ctx.wanted, ctx.is_gelu = [not given.stop_gradient for given in (x, weight, bias)], is_gelu
        if not is_gelu:
            ctx.save_for_backward(x, weight, bias)
            kernel.add_bias(product, bias)
            return product
        out = paddle.empty_like(product)
        kernel.gelu(product, bias, out)
        ctx.save_for_backward(x, weight, bias, product)  # its derivative by now
        return out

    @staticmethod
    def backward(ctx, gradient):
        x, weight, bias, *derivative = ctx.saved_tensor()
        of_bias, of_x, of_weight = paddle.empty_like(bias), None, None
        if ctx.is_gelu:
            given, gradient = gradient, paddle.empty_like(gradient)
            kernel.column_sums(given, of_bias, derivative[0], gradient)
        elif ctx.wanted[2]:
            kernel.column_sums(gradient, of_bias)
        if ctx.wanted[0]:
            of_x = paddle.matmul(gradient, weight, transpose_y=True)
        if ctx.wanted[1]:
            rows, of_rows = (each.reshape([-1, each.shape[-1]]) for each in (x, gradient))
            of_weight = paddle.matmul(rows, of_rows, transpose_x=True)
        return of_x, of_weight, of_bias if ctx.wanted[2] else None


class _AddAndNormalise(PyLayer):
    @staticmethod
    def forward(ctx, x, branch, weight, bias, dropout, epsilon):
        normal, out, inverse = paddle.empty_like(x), paddle.empty_like(x), paddle.empty(x.shape[:-1])
        kernel.add_and_normalise(x, branch, dropout, weight, bias, epsilon, normal, inverse, out)
        ctx.save_for_backward(normal, inverse, weight)
        ctx.dropout = dropout
        ctx.wanted = [not given.stop_gradient for given in (x, branch, weight, bias) if given is not None]
        return out

    @staticmethod
    def backward(ctx, gradient):
        normal, inverse, weight = ctx.saved_tensor()
        of_x = of_branch = paddle.empty_like(gradient)
        if ctx.dropout:
            of_branch = paddle.empty_like(gradient)
        kernel.normalise_gradient(
            gradient, normal, inverse, ctx.dropout, weight, of_x, of_branch if ctx.dropout else None
        )
        of_weight, of_bias = paddle.empty_like(weight), paddle.empty_like(weight)
        kernel.column_sums(gradient, of_weight, normal)
        kernel.column_sums(gradient, of_bias)
        gradients = (of_x, of_branch, of_weight, of_bias) if len(ctx.wanted) == 4 else (of_x, of_weight, of_bias)
        return tuple(given if wanted else None for given, wanted in zip(gradients, ctx.wanted))


class _AddRows(PyLayer):
    @staticmethod
    def forward(ctx, words, filled, rows):
        ctx.save_for_backward(filled, rows)
        ctx.wanted = [not given.stop_gradient for given in (words, rows)]
        out = words.clone().reshape([words.shape[0], -1])
        kernel.add_bias(out, rows)
        return out.reshape(words.shape)

    @staticmethod
    def backward(ctx, gradient):
        filled, rows = ctx.saved_tensor()
        of_rows = paddle.empty_like(rows)
        kernel.column_sums(gradient.reshape([gradient.shape[0], -1]), of_rows)
        of_words = gradient * filled.unsqueeze(-1) if ctx.wanted[0] else None
        return of_words, None, of_rows if ctx.wanted[1] else None


class _Attend(PyLayer):
    @staticmethod
    def forward(ctx, query, key, value, bias, dropout):
        shares = paddle.matmul(query, key, transpose_y=True)
        dropped = paddle.empty_like(shares) if dropout else shares
        ctx.dropout, ctx.scale = dropout, 1 / math.sqrt(query.shape[-1])
        kernel.softmax(shares, bias, ctx.scale, dropout, dropped if dropout else None)
        ctx.save_for_backward(query, key, value, shares, dropped)
        return paddle.matmul(dropped, value)

    @staticmethod
    def backward(ctx, gradient):
        query, key, value, shares, dropped = ctx.saved_tensor()
        of_value = paddle.matmul(dropped, gradient, transpose_x=True)
        of_logits = paddle.matmul(gradient, value, transpose_y=True)
        kernel.softmax_gradient(of_logits, shares, ctx.scale, ctx.dropout)
        of_key = paddle.matmul(of_logits, query, transpose_x=True)
        return paddle.matmul(of_logits, key), of_key, of_value, None
