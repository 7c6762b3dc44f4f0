# An SVG chart: calls per second of each system as a multiple of the unit's, one group for each case,
# on a logarithmic scale.

function x_of(ratio) {
    ratio = ratio < 0.01 ? 0.01 : ratio > 10 ? 10 : ratio
    return left + width * (log(ratio) - log(0.01)) / (log(10) - log(0.01))
}

function text(x, y, anchor, words) {
    printf "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\">%s</text>\n", x, y, anchor, words
}

function axis(    i, mark, marks) {
    split("0.01 0.03 0.1 0.3 1 3 10", marks, " ")
    for (i = 1; i in marks; i++) {
        mark = x_of(marks[i])
        printf "<line x1=\"%.1f\" y1=\"%d\" x2=\"%.1f\" y2=\"%d\" stroke=\"%s\"/>\n", mark, top - 6, mark,
            height - 10, marks[i] == 1 ? "#000" : "#ccc"
        text(mark, top - 10, "middle", marks[i])
    }
    text(left, 16, "start", "calls/s as a multiple of " unit "’s")
}

function bar(name, system_name, y,    from, to) {
    from = x_of(median < 1 ? median : 1)
    to = x_of(median < 1 ? 1 : median)
    printf "<rect x=\"%.1f\" y=\"%d\" width=\"%.1f\" height=\"%d\" fill=\"%s\"/>\n", from, y, to - from,
        step - 2, system_name == "busbar" ? "#c0392b" : "#7f8c8d"
    text((median < 1 ? from : to) + (median < 1 ? -4 : 4), y + step - 4, median < 1 ? "end" : "start",
        system_name sprintf(" %.2g", median))
}

END {
    left = 330
    width = 520
    top = 50
    step = 13
    for (c = 1; c <= case_count; c++) {
        count[c] = 0
        for (s = 1; s <= system_count; s++)
            if (systems[s] != unit && group_of(cases[c]) == "" && spread_ratio(cases[c], systems[s], keys[1]))
                count[c]++
        height += count[c] > 0 ? count[c] * step + 10 : 0
    }
    height += top + 10
    printf "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" font-family=\"sans-serif\" " \
        "font-size=\"11\">\n<rect width=\"100%%\" height=\"100%%\" fill=\"#fff\"/>\n", left + width + 110, height
    axis()
    y = top
    for (c = 1; c <= case_count; c++) {
        if (!count[c])
            continue
        text(8, y + step - 3, "start", label[cases[c]])
        for (s = 1; s <= system_count; s++) {
            if (systems[s] == unit || !spread_ratio(cases[c], systems[s], keys[1]))
                continue
            bar(cases[c], systems[s], y)
            y += step
        }
        y += 10
    }
    print "</svg>"
}
