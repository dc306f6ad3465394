"""Where the pixels and windows of images lie, and copies of images with their padding: parts of the kernels beside."""

from minigen.kernels.compiler.jit import part, tasks

BLOCK_WINDOWS = 128  # windows whose outer products are summed in registers: their rows stay in the first-level cache


@part
def locate(positions, first, count, height, width, image_step, row_step, column_step):
    """positions[k] = where pixel first + k lies, of images of height x width pixels."""
    column = first % width
    row = first // width % height
    image = first // (width * height)
    for k in range(count):
        positions[k] = image * image_step + row * row_step + column * column_step
        column += 1
        if column == width:
            column = 0
            row += 1
            if row == height:
                row = 0
                image += 1


@part
def clear(numbers):
    """All numbers become 0."""
    for k in range(numbers.size):
        numbers[k] = 0


@part
def copy_padded(x, image, height, width, channels, top, left, out, rows, columns, at):
    """Rows [-top, rows - top) and columns [-left, columns - left) of an image, zeros where it has none, to out[at:]."""
    lead = min(max(left, 0), columns) * channels
    skip = max(-left, 0)
    stop = lead + max(0, min(width - skip, columns - max(left, 0))) * channels
    for r in range(rows):
        line = at + r * columns * channels
        row = r - top
        if row < 0 or row >= height:
            for k in range(columns * channels):
                out[line + k] = 0
            continue
        source = ((image * height + row) * width + skip) * channels
        for k in range(lead):
            out[line + k] = 0
        for k in range(stop - lead):
            out[line + lead + k] = x[source + k]
        for k in range(stop, columns * channels):
            out[line + k] = 0


@tasks
def copy_padded_image(image, x, height, width, channels, top, left, out, rows, columns):
    """One image with its padding, at its place among all images."""
    at = image * rows * columns * channels
    copy_padded(x, image, height, width, channels, top, left, out, rows, columns, at)
