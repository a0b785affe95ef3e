#!/bin/sh
# Java: the JVM keeps its objects in mappings of its own; classes, compiled code's data, zip, threads and direct buffers
# live on malloc. A source file is compiled and run by `java File.java` where the compiler is installed.
# shellcheck source=tests/programs/lib.sh
. "$(dirname "$0")/lib.sh"
need java openjdk-17-jdk-headless
unset JAVA_TOOL_OPTIONS _JAVA_OPTIONS JDK_JAVA_OPTIONS CLASSPATH

options="-Xmx256m -XX:+UseParallelGC -XX:ParallelGCThreads=2 -Xshare:auto"
if java --list-modules 2>/dev/null | grep -q '^jdk\.compiler'; then
    cat >Work.java <<'JAVA'
import java.io.*;
import java.nio.ByteBuffer;
import java.security.MessageDigest;
import java.util.*;
import java.util.concurrent.*;
import java.util.stream.*;
import java.util.zip.*;

public class Work {
    static byte[] packed(byte[] data, int level) {
        Deflater deflater = new Deflater(level);
        deflater.setInput(data);
        deflater.finish();
        byte[] buffer = new byte[data.length + 100];
        int length = deflater.deflate(buffer);
        deflater.end();
        return Arrays.copyOf(buffer, length);
    }

    static String job(int number) throws Exception {
        StringBuilder text = new StringBuilder();
        long state = number;
        for (int i = 0; i < 6000; i++) {
            state = (state * 1103515245L + 12345) & 0x7fffffff;
            text.append(Long.toString(state, 36)).append(' ');
        }
        byte[] bytes = text.toString().getBytes("UTF-8");
        long checksum = 0;
        for (int i = 0; i < 200; i++) {
            ByteBuffer direct = ByteBuffer.allocateDirect(100 + (i * 7919 + number) % 60000);
            while (direct.remaining() >= 4) direct.putInt(i);
            checksum += direct.position();
        }
        CRC32 crc = new CRC32();
        for (int level = 1; level < 9; level++) {
            byte[] small = packed(bytes, level);
            Inflater inflater = new Inflater();
            inflater.setInput(small);
            byte[] again = new byte[bytes.length];
            inflater.inflate(again);
            inflater.end();
            if (!Arrays.equals(bytes, again)) throw new IllegalStateException("inflate");
            crc.update(small);
        }
        return number + ": " + bytes.length + " " + Long.toHexString(crc.getValue()) + " " + checksum;
    }

    public static void main(String[] arguments) throws Exception {
        ExecutorService pool = Executors.newFixedThreadPool(4);
        List<Future<String>> jobs = new ArrayList<>();
        for (int n = 0; n < 12; n++) {
            int number = n;
            jobs.add(pool.submit(() -> job(number)));
        }
        for (Future<String> one : jobs) System.out.println(one.get());
        pool.shutdown();
        for (int n = 0; n < 300; n++) {
            Thread thread = new Thread(() -> ByteBuffer.allocateDirect(5000));
            thread.start();
            thread.join();
        }
        Map<String, Long> words = IntStream.range(0, 200000).mapToObj(i -> "w" + (i * 31L % 5003))
            .collect(Collectors.groupingBy(w -> w, TreeMap::new, Collectors.counting()));
        byte[] digest = MessageDigest.getInstance("SHA-256").digest(words.toString().getBytes("UTF-8"));
        System.out.printf("%d %02x%02x%02x%02x%n", words.size(), digest[0], digest[1], digest[2], digest[3]);
        String wanted = System.getenv("WANTED");
        try (BufferedReader maps = new BufferedReader(new FileReader("/proc/self/maps"))) {
            System.out.println("mapped " + (wanted.isEmpty() || maps.lines().anyMatch(line -> line.contains(wanted))));
        }
    }
}
JAVA
    set -- Work.java
else
    echo "javac's module is not installed (package openjdk-17-jdk-headless): only java --list-modules is run"
    set -- --list-modules
fi

WANTED=''
export WANTED
# shellcheck disable=SC2086 # a list of options
on_system expected java $options "$@"
WANTED=$(basename "$(readlink -f "$lib")")
# shellcheck disable=SC2086
on_freehold got java $options "$@"
same expected got "the output of java"
ran_on got.err java
binds java -Xint -version
