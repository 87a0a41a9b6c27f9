"""The number that a picture bears (docs/barcode.md), read in a page."""

from __future__ import annotations

from typing import Final

#: JavaScript, of the upper left corner: `at(x, y)` is a brightness, `cell` a side of a cell in pixels; null: none.
READ_NUMBER: Final = """((at, cell) => {
    const mean = k => {
        let [sum, count] = [0, 0];
        for (let y = Math.floor(0.75 * cell); y < Math.ceil(1.25 * cell); y++)
            for (let x = Math.floor((k + 0.75) * cell); x < Math.ceil((k + 1.25) * cell); x++) {
                sum += at(x, y);
                count += 1;
            }
        return sum / count;
    };
    const [light, dark] = [mean(0), mean(1)];
    if (!(light - dark >= 64)) return null;
    let number = 0;
    for (let k = 2; k < 18; k++) number = 2 * number + (mean(k) > (light + dark) / 2 ? 1 : 0);
    return number;
})"""
