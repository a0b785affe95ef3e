"""check.py - `heap check` of the gdb extension: the build appends it to freehold-gdb.py, whose names it uses."""

class Check:
    def __init__(self, image):
        self.image, self.violations, self.marked = image, 0, 0
        self.slabs = dict(bytes=0, carved=0, capacity=0, listed=0)
        self.checked = dict(chunks=0, slabs=0, objects=0, large=0)

    def violated(self, invariant, address, text):
        self.violations += 1
        if self.violations <= 50:
            print(f'{invariant} does not hold at {address:#x}: {text}')

    def pages(self, start, size, entry, mask=0xffffffff):
        for page in range(start & -4096, start + size, 4096):
            if self.image.entry(page) & mask != entry:
                self.violated('P1', page, 'page map entry is not what the page is')
                return

    def slab(self, start):
        image, slab = self.image, self.image.slab_at(start)
        if not slab:
            self.violated('S1', start, 'slab head is damaged')
            return
        size, carved = slab.get('slab_class_bytes'), slab.get('slab_carved')
        whole = (1 << slab.get('slab_shift')) - slab.get('slab_tail')
        listed = image.slab_listed(slab)
        if listed is None:
            self.violated('S2', start, 'free list leaves the slab, is off an object boundary, repeats or is miscounted')
        data = image.memory.block(start, whole)
        first, marks = slab.get('slab_first'), 0
        for i in range(carved):
            at = first + i * size
            mark = (image.secret_value + start + at) & WORD
            marks += int.from_bytes(data[at + 8:at + 16], 'little') == mark
        if marks < slab.get('slab_free_count'):
            self.violated('S1', start, 'carved is less than live + cached + free')
        self.marked += marks - slab.get('slab_free_count')
        for name, count in (('bytes', whole), ('carved', carved * size),
                            ('capacity', slab.get('slab_capacity') * size),
                            ('listed', slab.get('slab_free_count') * size)):
            self.slabs[name] += count
        self.checked['slabs'] += 1
        self.checked['objects'] += carved
        self.pages(start, -(-whole // 4096) * 4096, slab.get('slab_entry'))

    def segment(self, heap, segment, sums):
        image = self.image
        at, known_to = segment.address + image.segment_head_bytes, segment.address + segment.get('segment_size')
        end, below_in_use, is_top = known_to - image.segment_tail_bytes, True, False
        growing = segment.address == heap.get('heap_growing')
        if growing:
            known_to = heap.get('heap_mapped')
        heap_entry = 2 << 30 | heap.get('heap_id') << 12
        while at < end:
            content = image.tag(at)
            size = (content or 0) & ~15
            if size < 32 or at + size > end:
                self.violated('H1', at, 'chunk does not tile the heap')
                return
            in_use, is_top = bool(content & IN_USE), content & (IN_USE | TOP) == TOP
            if bool(content & PREVIOUS_IN_USE) != below_in_use:
                self.violated('H2', at, "flag 'previous in use' differs from the chunk below")
            if not in_use and not below_in_use:
                self.violated('H3', at, 'two free chunks are neighbours')
            if not in_use and not is_top and image.tag(at + size - 8) != size:
                self.violated('H2', at, 'footer of a free chunk differs from its size')
            if is_top != (at == heap.get('heap_top')):
                self.violated('H5', at, 'top is not where the heap says')
            if in_use and content & SLAB and not image.is_marked(at + 8):
                self.slab((at + 8) & -4096)
                sums['slab_chunks'] += 1
            elif not is_top:
                page = (at + 4095) & -4096
                shared = page > segment.address and self.image.entry(page) >> 31 == 0 != self.image.entry(page)
                start, stop = page + 4096 if shared else at, min((at + size) & -4096, known_to)
                if start < stop:
                    self.pages(start, stop - start, heap_entry, 0xfffff000)
            if in_use:
                sums['used_chunks'] += 1
                sums['used_bytes'] += size
            elif not is_top:
                sums['free'].add(at)
                sums['free_bytes'] += size
            self.checked['chunks'] += 1
            below_in_use = in_use
            at += size
        if is_top != growing:
            self.violated('H5', end, 'top does not end where the source ends')

    def bin_index(self, size):
        image = self.image
        if size < image.bin_exact_limit:
            return size >> 4
        doubling, shift = size.bit_length() - 1, image.bin_steps_shift
        first = image.bin_exact_limit.bit_length() - 1
        step = size >> doubling - shift & (1 << shift) - 1
        return (image.bin_exact_limit >> 4) + (doubling - first << shift) + step

    def bins(self, heap, free):
        image, seen = self.image, set()
        for i in range(image.bin_count):
            at, before = heap.get('heap_bin_heads', i), 0
            if bool(at) != bool(heap.get('heap_bin_words', i // 64) >> i % 64 & 1):
                self.violated('H4', heap.address, f'bitmap and bin {i} disagree')
            while at:
                content = image.tag(at)
                links = [image.memory.number(at + n) ^ (image.secret_value + at + n) & WORD for n in (8, 16)]
                if content is None or content & (IN_USE | TOP) or self.bin_index(content & ~15) != i or \
                        links[1] != before or at in seen:
                    self.violated('H4', at, 'chunk in a bin is not free, is in the wrong bin, or is badly linked')
                    break
                seen.add(at)
                before, at = at, links[0]
        if seen != free:
            self.violated('H4', heap.address, 'a free chunk is in no bin, or a chunk in a bin is not in the heap')

    def heap(self, heap):
        sums = dict(used_chunks=0, used_bytes=0, free_bytes=0, slab_chunks=0, free=set())
        total, before = 0, self.violations
        for segment in self.image.segments(heap):
            total += segment.get('segment_size')
            self.segment(heap, segment, sums)
        if self.violations > before:
            return  # sums over a damaged heap say nothing
        self.bins(heap, sums['free'])
        wrong = [name for name in ('used_chunks', 'used_bytes', 'free_bytes') if sums[name] != heap.get('heap_' + name)]
        if total != heap.get('heap_total_bytes'):
            wrong.append('total_bytes')
        if sums['slab_chunks'] != heap.get('heap_slab_chunks') and not heap.get('heap_handed_over'):
            wrong.append('slab_chunks')
        if wrong:
            self.violated('A1', heap.address, f'counters of the heap differ from its chunks: {", ".join(wrong)}')

    def outside_segments(self):
        """Slabs that are mappings, and large blocks."""
        image = self.image
        ranges = [(s.address, s.address + s.get('segment_size')) for h in image.heap_list() for s in image.segments(h)]
        roots = image.memory.block(image.pagemap_root, 65536 * 8)
        for number, leaf in enumerate(struct.unpack('<65536Q', roots)):
            for offset in range(0, 4 << 20, PIECE) if leaf else ():
                piece = image.memory.block(leaf + offset, PIECE)
                for match in re.finditer(rb'[^\0]', piece):
                    i = match.start() & -4
                    if i == getattr(self, 'last_entry', None):
                        continue
                    self.last_entry = i
                    entry = int.from_bytes(piece[i:i + 4], 'little')
                    page = (number << 32) + ((offset + i) // 4 << 12)
                    if any(start <= page < end for start, end in ranges):
                        continue
                    if entry >> 30 == 3:
                        self.checked['large'] += 1
                        if not image.large_around(page + (0 if entry & 1 else 4095)):
                            self.violated('P1', page, 'no sound large block where the page map names one')
                    elif entry >> 31 == 0 and image.slab_at(page):
                        self.slab(page)
                    elif entry >> 30 == 2:
                        self.violated('P1', page, 'page map names a heap where there is none')
                self.last_entry = None

    def account(self):
        image, account = self.image, Account(self.image)
        if sum(account.items.values()) != account.held:
            self.violated('A1', image.wholesale, 'the account does not add up to what the kernel gave')
        if account.threads > 1 or image.memory.number(image.fork_has_torn, 4):
            return  # what running threads have taken since their last slow step is known to themselves alone
        cached = image.memory.number(image.transit_objects)
        sums = dict(bytes=0, carved=0, capacity=0, listed=0)
        for state in image.state_list():
            cached += state.get('state_outgoing_objects')
            sums['bytes'] += state.get('state_slab_bytes')
            for i in range(1, image.small_most // 16 + 1):
                base = image.state_classes[0] + i * image.class_bytes
                for name in ('carved', 'capacity', 'listed'):
                    sums[name] += state.get('class_' + name, 0, base) * i * 16
        # A run of frees into one slab is added to its owner's counter when it ends.
        run = self.slabs['listed'] - sums['listed']
        if dict(sums, listed=0) != dict(self.slabs, listed=0) or run < 0:
            self.violated('A1', image.state_table, "the owners' counters differ from their slabs")


class HeapCheckCommand(gdb.Command):
    """heap check: every invariant of Freehold's heap that can be checked from outside (H1 to H5, S1, S2, P1, A1).

A process that was stopped in the middle of malloc or free may break some that it is about to restore."""

    def __init__(self):
        super().__init__('heap check', gdb.COMMAND_DATA, gdb.COMPLETE_NONE)

    def invoke(self, argument, from_tty):
        image = Image()
        check = Check(image)
        for heap in image.heap_list():
            check.heap(heap)
        check.outside_segments()
        if check.violations == 0:
            check.account()
        held = held_locks(image)
        if held and check.violations:
            print(f'A thread holds the lock of heap {held[0]}: it was stopped in the middle of an operation.')
        done = check.checked
        print(f'{check.violations or "no"} violation{"" if check.violations == 1 else "s"} in {done["chunks"]:,} '
              f'chunks, {done["slabs"]:,} slabs with {done["objects"]:,} objects, {done["large"]:,} large blocks')
        gdb.set_convenience_variable('heap_violations', check.violations)


HeapCheckCommand()
