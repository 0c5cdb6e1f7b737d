#!/usr/bin/env python3
"""Settings: every wrong one has its message and exit status 64; the table, the file and the manual agree."""
import os
import subprocess

import daemon_lib as lib
from daemon_lib import ROOT, TMP, test


def peekd(*args):
    p = subprocess.run([lib.PEEKD, *args], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=10)
    return p.returncode, p.stdout, p.stderr


def write(name, text):
    path = os.path.join(TMP, name)
    with open(path, "w") as f:
        f.write(text)
    return path


BAD = [
    (["-m", "0"], ["-m", "memory_limit", '"0"', "1m to 2t"]),
    (["-m", "99999999999999999999999"], ["memory_limit", "1m to 2t"]),
    (["-m", "18446744073709551615t"], ["memory_limit", "1m to 2t"]),
    (["-m", "-5"], ["memory_limit", '"-5"']),
    (["-m", "64q"], ["memory_limit", '"64q"']),
    (["--memory-limit=3000g"], ["--memory-limit", "1m to 2t"]),
    (["-n", "a/b"], ["name", "a/b", "letters"]),
    (["-n", ""], ["name", "1 to 64 letters"]),
    (["-n", ".hidden"], ["name", ".hidden"]),
    (["-n", "x" * 65], ["name", "1 to 64 letters"]),
    (["-I", "17m"], ["max_item_size", "1k to 16m"]),
    (["-I", "500"], ["max_item_size", "1k to 16m"]),
    (["-m", "8", "-I", "5m"], ["max_item_size", "half of memory_limit", "4m"]),
    (["-a", "0999"], ["unix_mask", "octal"]),
    (["-a", "1777"], ["unix_mask", "0777"]),
    (["-c", "0"], ["conn_limit", "1 to 1000000"]),
    (["-p", "70000"], ["port", "0 to 65535"]),
    (["-U", "11211"], ["-U", "UDP"]),
    (["--huge-pages=maybe"], ["huge_pages", "off|try|require"]),
    (["--unlink=perhaps"], ["unlink", "yes or no"]),
    (["--memroy-limit=3"], ["unknown option", "--memory-limit"]),
    (["--access-admin=nobody-of-that-name"], ["access_admin", "nobody-of-that-name"]),
    (["-Q"], ["unknown option -Q"]),
    (["-m"], ["-m needs a value"]),
    (["--memory-limit"], ["--memory-limit needs a value"]),
    (["surplus"], ["unexpected argument", "surplus"]),
    # memcached's options say what peekd has in their place (15.41)
    (["4"], ["-t 4", "memcached's", "no threads"]),
    (["--threads=4"], ["--threads=4", "memcached's", "no threads"]),
    (["--threads", "4"], ["--threads", "no threads"]),
    (["-S"], ["-S", "memcached's", "access_read"]),
    (["-Y", "file"], ["-Y", "access_write"]),
    (["-B", "ascii"], ["-B", "text"]),
    (["-o", "idle_timeout=5"], ["-o", "--idle-timeout"]),
    (["-e", "/tmp/x"], ["-e", "restart"]),
    (["-k"], ["-k", "memory"]),
    (["-L"], ["-L", "huge_pages"]),
    (["--enable-sasl"], ["--enable-sasl", "access_admin"]),
    (["-s", "/" + "s" * 107], ["unix_socket", "107"]),
    (["-f", "/nonexistent.conf"], ["/nonexistent.conf", "No such file"]),
    (["-f", "/"], ["can't be read", "directory"]),
]


@test
def options():
    """a wrong option names itself, what was found and what is allowed; status 64"""
    for args, words in BAD:
        status, out, err = peekd("-t", *args)
        assert status == 64, (args, status, err)
        assert err.count("\n") == 1 and out == "", (args, out, err)
        for w in words:
            assert w in err, (args, w, err)


FILES = [
    ("memory_limit = 64m\nmemory_limt = 32m\n", [":2", "unknown setting memory_limt", "memory_limit"]),
    ("\n\nconn_limit = 0\n", [":3", "conn_limit", '"0"', "1 to 1000000", "1024"]),
    ("name = \n", [":2", "end of file"]),
    ("unix_mask 0700\n", [":1"]),
    ("\nname = \"a/b\"\n", [":2", "name", "a/b", "letters"]),
    ("memory_limit = {1, 2}\n", [":1"]),
    ("max_item_size = 40m # too much\n", [":1", "max_item_size", "16m"]),
    ("name = \"unfinished\n", [":"]),
]


@test
def files():
    """a wrong line of a file is named by file and line; status 64"""
    for text, words in FILES:
        path = write("bad.conf", text)
        status, _, err = peekd("-t", "-f", path)
        assert status == 64, (text, status, err)
        for w in [path] + words if words != [":"] else [path]:
            assert w in err, (text, w, err)


@test
def order():
    """the command line wins over the file, the file over the defaults; include works"""
    write("inner.conf", "conn_limit = 77\n")
    path = write("a.conf", 'memory_limit = 8m\nidle_timeout = 5\ninclude("%s/inner.conf")\n' % TMP)
    status, out, _ = peekd("--print-config", "-f", path, "-m", "16")
    lines = [x for x in out.splitlines() if x and x[0] != "#"]
    assert status == 0 and lines == ["memory_limit = 16m", "conn_limit = 77", "idle_timeout = 5"], lines


@test
def round_trip():
    """what --print-config prints is read back as the same"""
    args = ["-m", "7", "-I", "100k", "-a", "0770", "-M", "-F", "-A", "--access-write=@0, self", "-c", "9", "--huge-pages=off"]
    _, first, _ = peekd("--print-config", *args)
    path = write("round.conf", first)
    status, second, err = peekd("--print-config", "-f", path)
    assert status == 0 and first == second, err


@test
def texts():
    """conf/peekd.conf, peekd.conf(5) and the lists of peekd-stats(7) are what the tables say; every setting is in --help and in both"""
    _, conf, _ = peekd("--print-config")
    _, manual, _ = peekd("--print-manual")
    _, help_text, _ = peekd("--help")
    assert conf == open(os.path.join(ROOT, "conf/peekd.conf")).read(), "run peekd --print-config >conf/peekd.conf"
    assert manual == open(os.path.join(ROOT, "src/daemon/peekd.conf.5")).read(), "run peekd --print-manual >src/daemon/peekd.conf.5"
    _, lists, _ = peekd("--print-manual=stats")
    page = open(os.path.join(ROOT, "src/daemon/peekd-stats.7")).read()
    named = lists.count(".It Ic ")
    assert named == sum(line.startswith("STAT(") for line in open(os.path.join(ROOT, "src/shm/stats.def"))), named
    assert lists in page, "run peekd --print-manual=stats, and put it into src/daemon/peekd-stats.7 in place of the lists behind the comment"
    names = [x.split(" =")[0][1:] for x in conf.splitlines() if x.startswith("#") and " = " in x and not x.startswith("# ")]
    assert len(names) >= 28, names
    for n in names:
        assert "--" + n.replace("_", "-") in help_text, n
        assert ".It Ic %s " % n in manual, n


@test
def version():
    """--version and a right configuration: status 0"""
    status, out, _ = peekd("--version")
    assert status == 0 and out.startswith("peekd "), out
    status, out, _ = peekd("-t", "-f", os.path.join(ROOT, "conf/peekd.conf"))
    assert status == 0 and "right" in out


lib.main()
