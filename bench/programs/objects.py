"""objects.py - a benchmark program: dictionaries, lists, strings and instances made, kept, changed and dropped.

Run with PYTHONMALLOC=malloc, so that every object is a malloc.
"""
import json


class Point:
    def __init__(self, x, y):
        self.x, self.y, self.tag = x, y, f"{x}:{y}"


def main():
    points = [Point(i, i * 7 % 1009) for i in range(60000)]
    for turn in range(24):
        for i in range(turn, len(points), 3):
            points[i] = Point(i + turn, points[i].y)
    words = {}
    for point in points:
        words.setdefault(point.tag[-3:], []).append(point.tag.upper())
    document = [{"id": i, "name": f"row {i}", "tags": [str(i % 7), str(i % 11)], "at": {"x": i, "y": i / 3}}
                for i in range(40000)]
    text = json.dumps(document)
    again = json.loads(text)
    print(len(words), len(text), sum(row["at"]["x"] for row in again))


main()
