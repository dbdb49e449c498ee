// The client in front of the balancers under test: one thread, one epoll.
//
//     load PORT key=value...
//       to=127.0.2.1        address of the balancer
//       connections=50      open at the same time
//       body=200            bytes of a response body
//       seconds=2 warm=0.3  measured time; time before it that is not counted
//       rate=0              requests per second; 0: each connection asks again at once
//       close=never         never: kept; server: it closes first; client: we close first
//       idle=0              1: one request per connection, then hold them all and do nothing
//       copy=1              0: throw large bodies away without copying them (MSG_TRUNC)
//
// It prints "ready" when warm and waits for a line, measures, prints one line of JSON and waits
// for another line with its connections still open: the caller reads the balancer's CPU clock at
// both points, so that opening and closing are not charged to kept connections. With a rate, the
// latency of a request counts from when it was due, not from when it could be sent.

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "wire.h"

#ifndef IP_BIND_ADDRESS_NO_PORT
#define IP_BIND_ADDRESS_NO_PORT 24
#endif

enum {
    MAX_CONNECTIONS = 8000,
    MAX_QUEUE = 1 << 18,
    SOURCES = 8,            // local addresses in use, so that ports do not run out in TIME_WAIT
    OPENING = 32,           // connections being opened at the same time when idle=1
    READ_SPACE = 256 << 10,
    DRAIN_SECONDS = 10,     // for what is under way when the measured time is over
    SUB_BUCKETS = 64,       // histogram: 64 steps per power of two, an error below 1.6 %
    BUCKETS = 64 * SUB_BUCKETS,
};

enum state { CLOSED, CONNECTING, FREE, WAITING, ENDING };

struct connection {
    int fd;
    enum state state;
    long left;              // bytes of the response still to come
    uint64_t since;         // ns; when the request in flight was due
};

static struct connection connections[MAX_CONNECTIONS];
static int free_list[MAX_CONNECTIONS], free_count;
static uint64_t due_queue[MAX_QUEUE];
static unsigned due_head, due_tail;
static uint64_t histogram[BUCKETS];
static char request[256], space[READ_SPACE];
static size_t request_bytes;
static int poller, timer = -1;
static struct sockaddr_in target;

static struct {
    const char *to, *close;
    long connections, body, idle, copy;
    double seconds, warm, rate;
} want = {"127.0.2.1", "never", 1, 200, 0, 1, 2, 0.3, 0};

static int asking;          // new requests may start
static int counting;
static long in_flight, opened;
static uint64_t requests, bytes, errors, latest;

static void die(const char *what) {
    perror(what);
    exit(1);
}

static uint64_t now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void count_latency(uint64_t ns) {
    int power = ns < SUB_BUCKETS ? 0 : 63 - __builtin_clzll(ns) - 5;
    uint64_t index = ns < SUB_BUCKETS ? ns : (uint64_t)power * (SUB_BUCKETS / 2) + (ns >> power);
    histogram[index < BUCKETS ? index : BUCKETS - 1]++;
}

static double percentile(double fraction) {
    uint64_t total = 0, seen = 0;
    for (int i = 0; i < BUCKETS; i++) total += histogram[i];
    for (int i = 0; i < BUCKETS; i++) {
        seen += histogram[i];
        if (total && (double)seen >= fraction * (double)total) {
            if (i < SUB_BUCKETS) return i;
            int power = i / (SUB_BUCKETS / 2) - 1;
            return (double)((uint64_t)(i - power * (SUB_BUCKETS / 2)) << power);
        }
    }
    return 0;
}

static void watch(struct connection *c, int operation, unsigned events) {
    struct epoll_event event = {.events = events, .data.ptr = c};
    if (epoll_ctl(poller, operation, c->fd, &event) < 0) die("epoll_ctl");
}

static void next(struct connection *c);

static void fail(struct connection *c) {
    errors++;
    if (c->state == WAITING || c->state == CONNECTING) in_flight--;
    close(c->fd);
    c->state = CLOSED;
    // A balancer that refuses everything must end the run, not fill it.
    if (errors > 1000) {
        fprintf(stderr, "more than 1000 failed connections\n");
        exit(3);
    }
    if (asking && !want.rate) next(c);
}

static void send_request(struct connection *c) {
    ssize_t n = send(c->fd, request, request_bytes, MSG_NOSIGNAL);
    if (n == (ssize_t)request_bytes) {
        if (c->state == CONNECTING && want.close[0] == 'n') watch(c, EPOLL_CTL_MOD, EPOLLIN);
        c->state = WAITING;
        c->left = HEADER_BYTES + want.body;
    } else if (n < 0 && errno == EAGAIN && c->state == CONNECTING) {
        return;
    } else {
        fail(c);
    }
}

static void open_connection(struct connection *c) {
    static unsigned turn;
    int one = 1;
    struct sockaddr_in source = {.sin_family = AF_INET};
    source.sin_addr.s_addr = htonl(0x7f000101u + turn++ % SOURCES);  // 127.0.1.1 …
    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (c->fd < 0) die("socket");
    setsockopt(c->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof one);
    if (bind(c->fd, (struct sockaddr *)&source, sizeof source) < 0) die("bind");
    c->state = CONNECTING;
    in_flight++;
    opened++;
    if (connect(c->fd, (struct sockaddr *)&target, sizeof target) < 0 && errno != EINPROGRESS) {
        fail(c);
        return;
    }
    // On loopback the handshake is usually over when connect returns: then one event is enough.
    ssize_t n = send(c->fd, request, request_bytes, MSG_NOSIGNAL);
    if (n == (ssize_t)request_bytes) {
        c->state = WAITING;
        c->left = HEADER_BYTES + want.body;
    }
    watch(c, EPOLL_CTL_ADD, c->state == WAITING ? EPOLLIN : EPOLLIN | EPOLLOUT);
}

static void start(struct connection *c, uint64_t due) {
    c->since = due;
    if (c->state == CLOSED) {
        open_connection(c);
    } else {
        in_flight++;
        send_request(c);
    }
}

// What a connection does when its response is complete.
static void next(struct connection *c) {
    if (want.idle) {
        if (opened < want.connections) start(&connections[opened], now());
    } else if (!want.rate) {
        if (asking) start(c, now());
    } else if (due_head != due_tail) {
        start(c, due_queue[due_head++ % MAX_QUEUE]);
    } else {
        free_list[free_count++] = (int)(c - connections);
    }
}

static void complete(struct connection *c) {
    in_flight--;
    requests++;
    latest = now();
    if (counting) count_latency(latest - c->since);
    if (want.close[0] == 's') {
        c->state = ENDING;  // until the end of the stream has come through, too
    } else if (want.close[0] == 'c') {
        close(c->fd);
        c->state = CLOSED;
        next(c);
    } else {
        c->state = FREE;
        next(c);
    }
}

static void readable(struct connection *c) {
    size_t most = c->left < READ_SPACE ? READ_SPACE : 1 << 20;
    ssize_t n = want.copy ? recv(c->fd, space, READ_SPACE, 0)
                          : recv(c->fd, NULL, most, MSG_TRUNC);
    if (n > 0 && c->state == WAITING && n <= c->left) {
        bytes += (uint64_t)n;
        c->left -= n;
        if (!c->left) complete(c);
    } else if (n == 0 && c->state == ENDING) {
        close(c->fd);
        c->state = CLOSED;
        next(c);
    } else if (n >= 0 || errno != EAGAIN) {
        fail(c);
    }
}

static void tick(void) {
    uint64_t expired = 0, interval = (uint64_t)(1e9 / want.rate);
    if (read(timer, &expired, sizeof expired) != sizeof expired || !asking) return;
    uint64_t due = now() - (expired - 1) * interval;
    for (; expired--; due += interval) {
        if (free_count) {
            start(&connections[free_list[--free_count]], due);
        } else if (due_tail - due_head < MAX_QUEUE) {
            due_queue[due_tail++ % MAX_QUEUE] = due;
        }
    }
}

static void run_once(void) {
    struct epoll_event events[256];
    int n = epoll_wait(poller, events, 256, 100);
    for (int i = 0; i < n; i++) {
        struct connection *c = events[i].data.ptr;
        if (!c) tick();
        else if (c->state == CLOSED) continue;
        else if (c->state == CONNECTING) send_request(c);
        else readable(c);
    }
}

static void run_until(uint64_t deadline) {
    while (now() < deadline) run_once();
}

static void drain(void) {
    uint64_t deadline = now() + DRAIN_SECONDS * 1000000000ull;
    asking = 0;
    due_head = due_tail;
    while (in_flight > 0 && now() < deadline) run_once();
    if (in_flight > 0) errors += (uint64_t)in_flight;
}

// Everybody idle: a fresh start with all connections open and free.
static void ask_all(void) {
    asking = 1;
    if (!want.rate) {
        for (long i = 0; i < want.connections; i++) {
            if (connections[i].state == FREE || connections[i].state == CLOSED) {
                start(&connections[i], now());
            }
        }
        return;
    }
    free_count = 0;
    for (long i = 0; i < want.connections; i++) free_list[free_count++] = (int)i;
}

static void wait_for_line(void) {
    char line[16];
    if (read(0, line, sizeof line) <= 0) exit(0);
}

static void say_ready(void) {
    puts("ready");
    fflush(stdout);
    wait_for_line();
}

static void read_words(int count, char **words) {
    for (int i = 2; i < count; i++) {
        char *value = strchr(words[i], '=');
        if (!value) die(words[i]);
        *value++ = 0;
        if (!strcmp(words[i], "to")) want.to = value;
        else if (!strcmp(words[i], "close")) want.close = value;
        else if (!strcmp(words[i], "connections")) want.connections = atol(value);
        else if (!strcmp(words[i], "body")) want.body = atol(value);
        else if (!strcmp(words[i], "idle")) want.idle = atol(value);
        else if (!strcmp(words[i], "copy")) want.copy = atol(value);
        else if (!strcmp(words[i], "seconds")) want.seconds = atof(value);
        else if (!strcmp(words[i], "warm")) want.warm = atof(value);
        else if (!strcmp(words[i], "rate")) want.rate = atof(value);
        else die(words[i]);
    }
    if (want.connections < 1 || want.connections > MAX_CONNECTIONS) die("connections");
}

int main(int count, char **words) {
    if (count < 2) {
        fprintf(stderr, "usage: load PORT [key=value]...\n");
        return 2;
    }
    signal(SIGPIPE, SIG_IGN);
    read_words(count, words);
    target.sin_family = AF_INET;
    target.sin_port = htons((uint16_t)atoi(words[1]));
    if (inet_pton(AF_INET, want.to, &target.sin_addr) != 1) die(want.to);
    // About as long as what curl sends.
    request_bytes = (size_t)snprintf(
        request, sizeof request,
        "GET /%ld%s HTTP/1.1\r\nHost: bench.fairlead\r\nUser-Agent: fairlead-bench\r\n"
        "Accept: */*\r\n\r\n", want.body, want.close[0] == 's' ? "/close" : "");
    poller = epoll_create1(EPOLL_CLOEXEC);
    if (poller < 0) die("epoll_create1");

    if (want.idle) {
        long first = want.connections < OPENING ? want.connections : OPENING;
        uint64_t deadline = now() + 30 * 1000000000ull;
        for (long i = 0; i < first; i++) start(&connections[i], now());
        while (requests < (uint64_t)want.connections && now() < deadline) run_once();
        errors += (uint64_t)want.connections - requests;
        say_ready();
        // A balancer that drops an idle connection is an error, and this is where it shows.
        for (long i = 0; i < want.connections; i++) {
            if (recv(connections[i].fd, space, 1, MSG_DONTWAIT) >= 0 || errno != EAGAIN) errors++;
        }
        printf("{\"connections\":%ld,\"errors\":%lu}\n", want.connections, (unsigned long)errors);
        fflush(stdout);
        wait_for_line();
        return 0;
    }

    // The rate belongs to the measured part: warming up is always as fast as it goes.
    double rate = want.rate;
    want.rate = 0;
    ask_all();
    run_until(now() + (uint64_t)(want.warm * 1e9));
    drain();
    want.rate = rate;
    requests = bytes = 0;
    say_ready();

    counting = 1;
    uint64_t began = now();
    if (rate) {
        struct itimerspec every = {{0, (long)(1e9 / rate)}, {0, (long)(1e9 / rate)}};
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL};
        timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
        if (timer < 0 || timerfd_settime(timer, 0, &every, NULL) < 0) die("timerfd");
        if (epoll_ctl(poller, EPOLL_CTL_ADD, timer, &event) < 0) die("epoll_ctl");
    }
    ask_all();
    run_until(began + (uint64_t)(want.seconds * 1e9));
    drain();
    double seconds = (double)((latest > began ? latest : now()) - began) / 1e9;
    printf("{\"requests\":%lu,\"bytes\":%lu,\"seconds\":%.6f,\"errors\":%lu,\"p50_us\":%.2f,"
           "\"p90_us\":%.2f,\"p99_us\":%.2f,\"p999_us\":%.2f,\"max_us\":%.2f}\n",
           (unsigned long)requests, (unsigned long)bytes, seconds, (unsigned long)errors,
           percentile(0.5) / 1e3, percentile(0.9) / 1e3, percentile(0.99) / 1e3,
           percentile(0.999) / 1e3, percentile(1) / 1e3);
    fflush(stdout);
    wait_for_line();
    return 0;
}
