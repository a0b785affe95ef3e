"""freehold-gdb.py - the heap of Freehold in gdb: of a live process and of a core file.

  heap               the account: of every byte that the kernel gave what it is
  heap block ADDR    which block an address lies in, and who holds it
  heap check         every invariant that can be checked from outside (ARCHITECTURE.md)

It reads what the library exports for readers from outside (freehold_image.h): no debug information is needed, and a
stripped library or program will do. gdb loads it by itself with libfreehold.so, where its safe path allows; else:
source /path/to/this/file. Nothing is called in the process, and nothing written.
"""
import re
import struct

import gdb

MAGIC = b'\211freehold-image\n'
LAYOUT = 1
# The items of struct fh_image_root in their order, N for numbers and F for fields: filled in when this is built.
ITEMS = '@FH_IMAGE_ITEM_LIST@'.split()

CONTENT = (1 << 48) - 1
WORD = (1 << 64) - 1
IN_USE, PREVIOUS_IN_USE, TOP, SLAB, PURGED = 1, 2, 4, 4, 8
RUNNING = 1
PIECE = 1 << 20


class HeapError(gdb.GdbError):
    """Ends a command with one line."""


class Memory:
    """The memory of the process or core, copied piece by piece; of one command, since it may change afterwards."""

    def __init__(self):
        self.pieces = {}

    def read(self, address, count):
        """The bytes, or None when they cannot all be read."""
        if count > PIECE or address < 0 or address + count > 1 << 64:
            return None
        start = address & -4096
        end = (address + count + 4095) & -4096
        data = b''.join(self.page(at) or b'' for at in range(start, end, 4096))
        if len(data) != end - start:
            return None
        return data[address - start:address - start + count]

    def page(self, address):
        if address not in self.pieces:
            try:
                self.pieces[address] = bytes(gdb.selected_inferior().read_memory(address, 4096))
            except gdb.error:
                self.pieces[address] = None
        return self.pieces[address]

    def number(self, address, count=8):
        data = self.read(address, count)
        return int.from_bytes(data, 'little') if data else 0

    def block(self, address, count):
        """The same for much at once, past the copies; what cannot be read is zero."""
        try:
            return bytes(gdb.selected_inferior().read_memory(address, count))
        except gdb.error:
            pages = (self.page(at) or bytes(4096) for at in range(address & -4096, address + count, 4096))
            skip = address & 4095
            return b''.join(pages)[skip:skip + count]


class Record:
    """A structure of the library: its bytes, and its fields by the names of the items."""

    def __init__(self, image, address, count):
        self.image, self.address = image, address
        self.data = image.memory.block(address, count)

    def get(self, name, index=0, base=0):
        offset, size = getattr(self.image, name)
        at = base + offset + index * size
        return int.from_bytes(self.data[at:at + size], 'little')


def code_ranges():
    """What gdb knows of files and of a core: (start, end, name of the section)."""
    text = gdb.execute('info files', to_string=True)
    for match in re.finditer(r'(0x[0-9a-f]+) - (0x[0-9a-f]+) is (\S+)', text):
        yield int(match[1], 16), int(match[2], 16), match[3]


class Image:
    """The root, and with it where everything is."""

    def __init__(self):
        self.memory = Memory()
        root = self.find_root()
        if root is None:
            raise HeapError('there is no heap of Freehold here; is the program running, and on freehold?')
        self.address = root
        head = struct.unpack('<QIIII', self.memory.read(root + 16, 24))
        if head[1] != LAYOUT:
            raise HeapError(f'this heap has layout {head[1]}, this script reads layout {LAYOUT}; take the one of its '
                            f'version')
        self.version = '.'.join(str(head[3] >> shift & 255) for shift in (16, 8, 0))
        data = self.memory.read(root, head[2])
        for i, item in enumerate(ITEMS):
            at = 40 + 8 * i
            here = data[at:at + 8] if at + 8 <= len(data) else bytes(8)
            value = struct.unpack('<Q', here)[0] if item[0] == 'N' else struct.unpack('<II', here)
            setattr(self, item[2:], value)
        self.secret_value = self.memory.number(self.secret)

    def find_root(self):
        try:
            address = int(gdb.parse_and_eval('(unsigned long)&fh_root'))
            if self.is_root(address):
                return address
        except gdb.error:
            pass
        for start, end, name in code_ranges():
            if not re.match(r'\.data|load', name):
                continue
            at = start
            while at < end:
                try:
                    at = gdb.selected_inferior().search_memory(at, end - at, MAGIC)
                except gdb.error:
                    break
                if at is None:
                    break
                if self.is_root(at):
                    return at
                at += 16
        return None

    def is_root(self, address):
        head = self.memory.read(address, 24)
        return head is not None and head[:16] == MAGIC and struct.unpack('<Q', head[16:])[0] == address

    # --- the rules of freehold_image.h ---

    def seal(self, content, place):
        mixed = ((content ^ self.secret_value ^ place << 1) & WORD) * 0x9e3779b97f4a7c15 & WORD
        return content | mixed & ~CONTENT

    def tag(self, address):
        """The content of the tag at an address, or None when it is not sealed."""
        tag = self.memory.number(address)
        return tag & CONTENT if tag == self.seal(tag & CONTENT, address) else None

    def is_marked(self, address):
        return self.memory.number(address + 8) == (self.secret_value + address) & WORD

    def following(self, address):
        following = self.memory.number(address) ^ (self.secret_value + address) & WORD
        return 0 if following == self.list_end else following

    def entry(self, address):
        """What the page map says of a page."""
        if address >> 48:
            return 0
        leaf = self.memory.number(self.pagemap_root + (address >> 32) * 8)
        return self.memory.number(leaf + (address >> 12 & 0xfffff) * 4, 4) if leaf else 0

    def heap_list(self):
        count = min(self.memory.number(self.heap_count, 4), 4096)
        return [Record(self, self.heaps + i * self.heap_bytes, self.heap_bytes) for i in range(count)]

    def segments(self, heap):
        at, seen = heap.get('heap_segments'), set()
        while at and at not in seen:
            seen.add(at)
            segment = Record(self, at, 64)
            yield segment
            at = segment.get('segment_next')

    def state_list(self):
        end_at = self.memory.number(self.state_table + self.state_table_id_end[0])
        each = self.memory.number(self.state_table + self.state_table_per_block[0], 4)
        blocks = self.memory.number(self.state_table + self.state_table_blocks[0])
        for number in range(1, min(self.memory.number(end_at, 4), 1 << 18)):
            at = self.memory.number(self.state_table + self.state_table_first[0])
            if number > 1:
                block = self.memory.number(blocks + (number - 2) // each * 8) if each and blocks else 0
                at = block + (number - 2) % each * self.state_bytes if block else 0
            if at:
                state = Record(self, at, self.state_bytes)
                if state.get('state_status'):
                    yield state

    def ledger(self, name):
        offset, size = getattr(self, name)
        return self.memory.number(self.wholesale + offset, size) if size else 0

    def large(self, name):
        offset, size = getattr(self, name)
        return self.memory.number(self.large_counts + offset, size)

    def slab_at(self, start):
        """The slab whose record is there, or None."""
        slab = Record(self, start, 128)
        shift = slab.get('slab_shift')
        if slab.get('slab_seal') != self.seal(slab.get('slab_entry'), start) or not 12 <= shift <= 16:
            return None
        size, carved, capacity = (slab.get('slab_' + name) for name in ('class_bytes', 'carved', 'capacity'))
        fits = slab.get('slab_first') + capacity * size <= 1 << shift
        return slab if size and size % 16 == 0 and carved <= capacity and fits else None

    def slab_around(self, address, entry):
        """Slabs of the same entry may be neighbours; none reaches over a multiple of 64 KiB."""
        for start in range(address & -4096, (address & -65536) - 1, -4096):
            slab = self.slab_at(start) if self.entry(start) == entry else None
            if slab and address < start + (1 << slab.get('slab_shift')) - slab.get('slab_tail'):
                return slab
        return None

    def slab_listed(self, slab):
        """The objects on the slab's own list; None when the list does not hold."""
        at, listed = slab.get('slab_free'), set()
        first, size = slab.address + slab.get('slab_first'), slab.get('slab_class_bytes')
        while at and at != self.list_end:
            index, rest = divmod(at - first, size)
            if rest or not 0 <= index < slab.get('slab_carved') or at in listed or not self.is_marked(at):
                return None
            listed.add(at)
            at = self.following(at)
        return listed if len(listed) == slab.get('slab_free_count') else None

    def large_around(self, address):
        """(pointer, start, size, is kept for the next request) of a large block, or None; the pointer's page is at most
        its block's length below."""
        page = address & -4096
        leaf = self.memory.number(self.pagemap_root + (address >> 32) * 8)
        lowest = (address >> 32) << 32
        while leaf and page >= lowest:
            entry = self.entry(page)
            if entry >> 30 == 3:
                for pointer in [page] if entry & 1 else [page + (16 << n) for n in range(8)]:
                    offset, size = self.tag(pointer - 16), self.tag(pointer - 8)
                    if offset is not None and size is not None and offset <= size:
                        start = pointer - offset
                        inside = start <= address < start + size
                        return (pointer, start, size, self.is_marked(pointer)) if inside else None
                return None
            if entry:
                return None
            page -= 4096
        return None


# --- heap ---

MEANINGS = (('live', 'held by the program'), ('rounding', 'gaps that no block can use'),
            ('cached', 'freed, kept by threads'), ('free', 'freed, for the next request'),
            ('untouched', 'address space, no memory'), ('metadata', 'tags, slab heads, page map'))


class Account:
    """The sums of the library's own counters."""

    def __init__(self, image):
        self.image = image
        self.items = dict.fromkeys((name for name, _ in MEANINGS), 0)
        self.blocks = self.threads = self.heaps = 0
        for heap in image.heap_list():
            self.add_heap(heap)
        for state in image.state_list():
            self.add_state(state)
        heads = image.large('large_head_bytes')
        large = image.large('large_mapping_bytes') - heads
        transit = image.memory.number(image.transit_bytes)
        self.large_blocks = image.large('large_blocks')
        self.blocks += self.large_blocks - image.memory.number(image.transit_objects)
        self.add(live=large - transit, cached=transit, metadata=heads + image.ledger('wholesale_state_bytes'),
                 free=image.large('large_warm_bytes'),
                 untouched=sum(image.ledger('wholesale_' + name + '_bytes') for name in
                               ('stranded', 'pagemap', 'table')))
        self.held = image.ledger('wholesale_obtained_bytes') - image.ledger('wholesale_returned_bytes')

    def add(self, **items):
        for name, count in items.items():
            self.items[name] += count

    def add_heap(self, heap):
        image, segments = self.image, list(self.image.segments(heap))
        top, fresh, top_bytes, untouched = heap.get('heap_top'), heap.get('heap_fresh'), 0, 0
        if top:
            top_bytes = (image.tag(top) or 0) & ~15
            untouched = min(max(top + top_bytes - fresh, 0), top_bytes)
        slabs, away = heap.get('heap_slab_bytes'), heap.get('heap_handed_over_bytes')
        blocks = heap.get('heap_used_chunks') - heap.get('heap_slab_chunks')
        purged = heap.get('heap_purged_bytes')
        self.heaps += bool(segments)
        self.blocks += blocks
        self.add(metadata=len(segments) * (image.segment_head_bytes + image.segment_tail_bytes) + blocks * 8,
                 live=heap.get('heap_used_bytes') - slabs - blocks * 8 - away, cached=away, rounding=slabs,
                 free=heap.get('heap_free_bytes') - purged + top_bytes - untouched, untouched=untouched + purged)

    def add_state(self, state):
        image = self.image
        self.threads += state.get('state_status') == RUNNING
        heads = capacity = 0
        for i in range(1, image.small_most // 16 + 1):
            base, size = image.state_classes[0] + i * image.class_bytes, i * 16
            slabs, fits, carved, listed = (state.get('class_' + name, 0, base) for name in
                                           ('slabs', 'capacity', 'carved', 'listed'))
            cached = state.get('state_cached', i)
            heads += slabs * image.slab_extra_bytes
            capacity += fits * size
            self.blocks += carved - listed - cached
            self.add(free=(listed + fits - carved) * size, cached=cached * size,
                     live=(carved - listed - cached) * size)
        self.add(metadata=heads, rounding=state.get('state_mapped_bytes') - heads - capacity)
        away, blocks = (state.get('state_outgoing_' + a) + state.get('state_medium_' + b) for a, b in
                        (('bytes', 'bytes'), ('objects', 'blocks')))
        for i in range(image.small_most // 16 + 1, image.cached_most // 16 + 1):
            away += state.get('state_cached', i) * (i * 16 + 8)
            blocks += state.get('state_cached', i)
        self.blocks -= blocks
        self.add(cached=away, live=-away)


def held_locks(image):
    return [heap.get('heap_id') for heap in image.heap_list() if heap.get('heap_lock') & 255]


class HeapCommand(gdb.Command):
    """The account of Freehold's heap: of every byte that the kernel gave what it is.

heap               the account
heap block ADDR    which block the address lies in, and who holds it
heap check         every invariant that can be checked from outside

Reads memory only; works on live processes and cores, without debug information."""

    def __init__(self):
        super().__init__('heap', gdb.COMMAND_DATA, gdb.COMPLETE_NONE, True)

    def invoke(self, argument, from_tty):
        if argument:
            raise HeapError('"heap" knows "heap", "heap block ADDR" and "heap check"')
        image = Image()
        account = Account(image)
        print(f'heap of freehold {image.version}, in bytes')
        for name, meaning in MEANINGS:
            print(f'  {name:<17} {account.items[name]:>18,}  {meaning}')
        total = sum(account.items.values())
        print(f'  {"= from the kernel":<17} {total:>18,}')
        if total != account.held:
            print(f'  {"the ledger says":<17} {account.held:>18,}  a thread is in the middle of an operation')
        print(f'  {"blocks":<17} {account.blocks:>18,}  live, {account.large_blocks:,} with a mapping of their own')
        print(f'  {"heaps":<17} {account.heaps:>18,}')
        print(f'  {"threads":<17} {account.threads:>18,}')


# --- heap block ---

def block_of_slab(image, address, entry):
    slab = image.slab_around(address, entry)
    if not slab:
        return ['in a slab whose head is damaged']
    size, first = slab.get('slab_class_bytes'), slab.address + slab.get('slab_first')
    where = (f'slab {slab.address:#x} of {size}-byte objects, heap {slab.get("slab_heap")}, '
             f'owner {entry >> 12 & 0x3ffff}')
    if address < first:
        return [f'in the head of a {where}']
    index = (address - first) // size
    start = first + index * size
    if index >= slab.get('slab_capacity'):
        return [f'in the end of a {where}']
    if index >= slab.get('slab_carved'):
        state = 'never handed out'
    else:
        listed = image.slab_listed(slab)
        state = 'free, on a damaged list' if listed is None and image.is_marked(start) else \
            'free' if listed and start in listed else 'cached (freed)' if image.is_marked(start) else 'live'
    return [f'block {start:#x}, {size} bytes, {state}', f'object {index} of {slab.get("slab_capacity")} of {where}']


def block_of_heap(image, address, number):
    for heap in image.heap_list():
        for segment in image.segments(heap):
            end = segment.address + segment.get('segment_size')
            if segment.address <= address < end:
                return block_of_segment(image, heap, segment.address, end, address)
    return [f'in a page of heap {number}, but in none of its segments']


def block_of_segment(image, heap, start, end, address):
    at, number = start + image.segment_head_bytes, heap.get('heap_id')
    where = f'a segment of heap {number} at {start:#x}'
    if address < at:
        return [f'in the head of {where}']
    while at < end - image.segment_tail_bytes:
        content = image.tag(at)
        size = (content or 0) & ~15
        if size < 32 or at + size > end:
            return [f'behind a damaged tag at {at:#x} of {where}']
        if address < at + size:
            if not content & IN_USE:
                state = 'top, never allocated or trimmed' if content & TOP else \
                    'free, pages given back' if content & PURGED else 'free'
            elif content & SLAB and not image.is_marked(at + 8):
                return [f'in the chunk {at:#x} of a slab, heap {number}']
            else:
                state = 'cached (freed)' if image.is_marked(at + 8) else 'live'
            return [f'block {at + 8:#x}, {size - 8} bytes, {state}', f'chunk of {where}']
        at += size
    return [f'in the end of {where}']


class HeapBlockCommand(gdb.Command):
    """heap block ADDR: which block of Freehold's heap the address lies in, and whether it is live or freed."""

    def __init__(self):
        super().__init__('heap block', gdb.COMMAND_DATA, gdb.COMPLETE_EXPRESSION)

    def invoke(self, argument, from_tty):
        if not argument:
            raise HeapError('an address is missing: heap block ADDR')
        address = int(gdb.parse_and_eval(f'(unsigned long)({argument})'))
        image = Image()
        entry = image.entry(address)
        large = image.large_around(address) if entry == 0 or entry >> 30 == 3 else None
        if large:
            pointer, start, size, kept = large
            lines = [f'block {pointer:#x}, {size - (pointer - start)} bytes, {"freed, kept" if kept else "live"}',
                     f'a mapping of its own, {size} bytes from {start:#x}']
        elif entry == 0:
            lines = ['not Freehold\'s']
        elif entry >> 31 == 0:
            lines = block_of_slab(image, address, entry)
        elif entry >> 30 == 2:
            lines = block_of_heap(image, address, entry >> 12 & 0x3ffff)
        else:
            lines = ['in a page with a large block, outside of it']
        match = re.match(r'block (0x[0-9a-f]+)', lines[0])
        inside = address - int(match[1], 16) if match else 0
        print(f'{address:#x}: {lines[0]}' + (f'; the address is {inside} bytes into it' if inside > 0 else ''))
        for line in lines[1:]:
            print(f'  {line}')


HeapCommand()
HeapBlockCommand()
