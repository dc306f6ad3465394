"""The cells of recurrent layers, RNN, LSTM and GRU: what a worker does with each row at one step, and walking back.

The passes over a row are split into loops of few arrays each, none of which overlap: those vectorise, and a row stays
in the cache. How a worker gets from step to step is in `walk.py`.
"""

from minigen.kernels.compiler.jit import part, tasks
from minigen.kernels.recurrent.walk import add_into, clear, copy, end_back, multiply, start_back, start_forward
from minigen.kernels.rows.scalar import ONE, TWO, ZERO, exp_negative, exp_parts


@part
def sigmoid_of_sum(a, out):
    """out = σ(out + a)."""
    for k in range(out.size):
        v = a[k] + out[k]
        e = exp_negative(-abs(v))
        out[k] = (ONE if v >= ZERO else e) / (ONE + e)


@part
def tanh_number(v):
    """tanh(v), exact near 0."""
    scale, tail = exp_parts(-TWO * abs(v))
    m = (scale - ONE) + tail
    t = -m / (TWO + m)
    return -t if v < ZERO else t


@part
def tanh_of(a, out):
    """out = tanh(a)."""
    for k in range(out.size):
        out[k] = tanh_number(a[k])


@part
def tanh_of_sum(a, out):
    """out = tanh(out + a)."""
    for k in range(out.size):
        out[k] = tanh_number(a[k] + out[k])


@tasks
def rnn_share(worker, workers, table, ids, packed, zeros, h0, relu, mask, plan, y, workspaces):
    """h = a(x + h · w_h) in y, which holds x, unless `plan.looked_up`: then it is row ids[n · steps + t] of table."""
    size = plan.size
    first, stop, rows, left, right = start_forward(worker, workers, plan, h0, workspaces)
    for t in range(plan.steps):
        multiply(rows, left, packed, zeros, 0, right, plan)
        for n in range(first, stop):
            at = n * plan.steps + t
            h, out = left[(n - first) * plan.left_row :][:size], y[at * size :][:size]
            if plan.masked and not mask[at]:
                copy(h, out)
                continue
            if plan.looked_up:
                copy(table[ids[at] * size :], out)
            p = right[(n - first) * plan.right_row :]
            if relu:
                for k in range(out.size):
                    v = p[k] + out[k]
                    out[k] = ZERO if v < ZERO else v
            else:
                tanh_of_sum(p, out)
            copy(out, h)


@tasks
def rnn_grad_share(worker, workers, gy, y, packed, relu, mask, plan, gz, gh0, workspaces):
    """gz = (gy + gh) a'(y), gh = gz · w_hᵀ, from the last step to the first."""
    size = plan.size
    first, stop, rows, left, right = start_back(worker, workers, plan, workspaces)
    for t in range(plan.steps - 1, -1, -1):
        for n in range(first, stop):
            at = n * plan.steps + t
            g, z = right[(n - first) * plan.right_row :][:size], left[(n - first) * plan.left_row :][:size]
            add_into(gy[at * size :], g)
            if plan.masked and not mask[at]:  # the gradient goes by: it stays in g, to which the product adds 0
                clear(z)
            else:
                out = y[at * size :]
                if relu:
                    for k in range(z.size):
                        z[k] = g[k] if out[k] > ZERO else ZERO
                else:
                    for k in range(z.size):
                        z[k] = g[k] * (ONE - out[k] * out[k])
                clear(g)
            copy(z, gz[at * size :][:size])
        multiply(rows, left, packed, right, plan.right_row, right, plan)
    end_back(first, stop, right, plan, gh0)


@tasks
def lstm_share(worker, workers, table, ids, packed, zeros, h0, c0, mask, plan, y, gates, cells, workspaces):
    """i, f, o = σ, g = tanh of x + h · w_h; c = f c + i g; h = o tanh(c). x in gates, or looked up: as in rnn_share."""
    size = plan.size
    first, stop, rows, left, right = start_forward(worker, workers, plan, h0, workspaces)
    for t in range(plan.steps):
        multiply(rows, left, packed, zeros, 0, right, plan)
        for n in range(first, stop):
            at = n * plan.steps + t
            h, out, c = left[(n - first) * plan.left_row :][:size], y[at * size :][:size], cells[at * size :][:size]
            before = cells[(at - 1) * size :] if t else c0[n * size :]
            p, row = right[(n - first) * plan.right_row :], gates[at * 4 * size :][: 4 * size]
            if plan.masked and not mask[at]:
                copy(h, out)
                copy(before, c)
                clear(row)
                continue
            if plan.looked_up:
                copy(table[ids[at] * 4 * size :], row)
            i, f, g, o = row[:size], row[size:], row[2 * size :][:size], row[3 * size :]
            sigmoid_of_sum(p, row[: 2 * size])
            tanh_of_sum(p[2 * size :], g)
            sigmoid_of_sum(p[3 * size :], o)
            for k in range(c.size):
                c[k] = f[k] * before[k] + i[k] * g[k]
            for k in range(h.size):
                h[k] = o[k] * tanh_number(c[k])
            copy(h, out)


@tasks
def lstm_grad_share(worker, workers, gy, gates, cells, c0, packed, mask, plan, gz, gh0, gc0, workspaces):
    """The gradients inside the gates, from the last step to the first; gh = gz · w_hᵀ. gc0 holds that of the last c."""
    size = plan.size
    first, stop, rows, left, right = start_back(worker, workers, plan, workspaces)
    bent = workspaces[worker][rows * (plan.left_row + plan.right_row) :][:size]
    for t in range(plan.steps - 1, -1, -1):
        for n in range(first, stop):
            at = n * plan.steps + t
            gh, gc = right[(n - first) * plan.right_row :][:size], gc0[n * size :][:size]
            row = left[(n - first) * plan.left_row :][: 4 * size]
            add_into(gy[at * size :], gh)
            if plan.masked and not mask[at]:  # both gradients go by; the product adds 0
                clear(row)
            else:
                into_i, into_f = row[:size], row[size:][:size]
                into_g, into_o = row[2 * size :][:size], row[3 * size :]
                gate = gates[at * 4 * size :]
                i, f, g, o = gate[:size], gate[size:], gate[2 * size :], gate[3 * size :]
                before = cells[(at - 1) * size :] if t else c0[n * size :]
                tanh_of(cells[at * size :], bent)
                for k in range(size):
                    gc[k] += gh[k] * o[k] * (ONE - bent[k] * bent[k])
                for k in range(size):
                    into_o[k] = gh[k] * bent[k] * (o[k] * (ONE - o[k]))
                for k in range(size):
                    into_i[k] = gc[k] * g[k] * (i[k] * (ONE - i[k]))
                for k in range(size):
                    into_f[k] = gc[k] * before[k] * (f[k] * (ONE - f[k]))
                for k in range(size):
                    into_g[k] = gc[k] * i[k] * (ONE - g[k] * g[k])
                for k in range(size):
                    gc[k] *= f[k]
                clear(gh)
            copy(row, gz[at * 4 * size :][: 4 * size])
        multiply(rows, left, packed, right, plan.right_row, right, plan)
    end_back(first, stop, right, plan, gh0)


@tasks
def gru_share(worker, workers, table, ids, packed, bias, h0, mask, plan, y, gates, qs, workspaces):
    """r, z = σ(x + h · w_h); q = h · w_hn + b_q; n = tanh(x_n + r q); h = n + z (h - n). x as in lstm_share."""
    size = plan.size
    first, stop, rows, left, right = start_forward(worker, workers, plan, h0, workspaces)
    for t in range(plan.steps):
        multiply(rows, left, packed, bias, 0, right, plan)
        for n in range(first, stop):
            at = n * plan.steps + t
            h, out = left[(n - first) * plan.left_row :][:size], y[at * size :][:size]
            p, row = right[(n - first) * plan.right_row :], gates[at * 3 * size :][: 3 * size]
            r, z, new, q = row[:size], row[size:], row[2 * size :], qs[at * size :][:size]
            if plan.masked and not mask[at]:
                copy(h, out)
                clear(row)
                clear(q)
                continue
            if plan.looked_up:
                copy(table[ids[at] * 3 * size :], row)
            sigmoid_of_sum(p, row[: 2 * size])
            copy(p[2 * size :], q)
            for k in range(new.size):
                new[k] = tanh_number(new[k] + r[k] * q[k])
            for k in range(h.size):
                h[k] = new[k] + z[k] * (h[k] - new[k])
            copy(h, out)


@tasks
def gru_grad_share(worker, workers, gy, gates, qs, y, h0, packed, mask, plan, gz, gh0, workspaces):
    """The gradients inside the gates, from the last step to the first; in gz, n's is the one that reaches x."""
    size = plan.size
    first, stop, rows, left, right = start_back(worker, workers, plan, workspaces)
    for t in range(plan.steps - 1, -1, -1):
        for n in range(first, stop):
            at = n * plan.steps + t
            gh, row = right[(n - first) * plan.right_row :][:size], left[(n - first) * plan.left_row :][: 3 * size]
            result = gz[at * 3 * size :][: 3 * size]
            add_into(gy[at * size :], gh)
            if plan.masked and not mask[at]:  # the gradient goes by: it stays in gh, to which the product adds 0
                clear(row)
                clear(result)
            else:
                into_r, into_z, into_n = row[:size], row[size:][:size], row[2 * size :]
                gate, q = gates[at * 3 * size :], qs[at * size :]
                r, z, new = gate[:size], gate[size:], gate[2 * size :]
                before = y[(at - 1) * size :] if t else h0[n * size :]
                for k in range(size):
                    into_n[k] = gh[k] * (ONE - z[k]) * (ONE - new[k] * new[k])
                for k in range(size):
                    into_z[k] = gh[k] * (before[k] - new[k]) * (z[k] * (ONE - z[k]))
                for k in range(size):
                    into_r[k] = into_n[k] * q[k] * (r[k] * (ONE - r[k]))
                for k in range(size):
                    gh[k] *= z[k]
                copy(row, result)
                for k in range(size):
                    into_n[k] *= r[k]
        multiply(rows, left, packed, right, plan.right_row, right, plan)
    end_back(first, stop, right, plan, gh0)
