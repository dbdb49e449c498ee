// Raw IP, packet and netlink sockets, timers and real-time scheduling: what holding a virtual IP
// needs beside CLinux.h. The same rules: a count or 0 when it went well, otherwise -errno; EINTR
// is retried inside.
#ifndef FAIRLEAD_CLINUX_NETWORK_H
#define FAIRLEAD_CLINUX_NETWORK_H

#include <stddef.h>
#include <stdint.h>

struct fl_endpoint;

// One instruction of classic BPF, as struct sock_filter has it.
struct fl_filter_step {
  uint16_t code;
  uint8_t on_true;
  uint8_t on_false;
  uint32_t value;
};

int fl_raw_socket(int family, int protocol);
int fl_packet_socket(int type, int protocol, uint32_t interface_index);
// protocol: NETLINK_ROUTE (0) or NETLINK_NETFILTER (12).
int fl_netlink_socket(int protocol, uint32_t groups);
int fl_multicast_member(int fd, int join, const struct fl_endpoint *group,
                        uint32_t interface_index);
int fl_attach_filter(int fd, const struct fl_filter_step *steps, size_t count);
int fl_icmp6_pass_only(int fd, uint8_t type);

// hop_limit is -1 and destination->family 0 when the kernel does not tell. Bytes of a raw IPv4
// socket begin with the IP header.
long fl_receive_from_wire(int fd, void *bytes, size_t count, struct fl_endpoint *source,
                          struct fl_endpoint *destination, uint32_t *interface_index,
                          int32_t *hop_limit);
// source may be NULL or of family 0; interface_index 0 leaves the choice to the routes.
long fl_send_to_wire(int fd, const void *bytes, size_t count, const struct fl_endpoint *source,
                     const struct fl_endpoint *destination, uint32_t interface_index);
long fl_send_frame(int fd, const void *bytes, size_t count, uint32_t interface_index);
// packet_type: 0 to us, 1 broadcast, 2 multicast, 3 to others, 4 sent by this host.
long fl_receive_frame(int fd, void *bytes, size_t count, uint32_t *interface_index,
                      uint8_t *packet_type);
long fl_netlink_send(int fd, const void *bytes, size_t count);
// sender is 0 for the kernel. The result is the datagram's full length, even when it was cut.
long fl_netlink_receive(int fd, void *bytes, size_t count, uint32_t *sender);

int fl_timer(void);
int fl_timer_set(int fd, int64_t monotonic_us);
int64_t fl_timer_take(int fd);

int fl_lock_memory(int locked);
int fl_thread_schedule(int *policy, int *priority);
int fl_thread_set_schedule(int policy, int priority);

int64_t fl_interface_index(const char *name);
int fl_new_network_namespace(void);
int fl_enter_network_namespace(const char *path);
long fl_read_file(const char *path, void *bytes, size_t count);
long fl_write_file(const char *path, const void *bytes, size_t count);

#endif
