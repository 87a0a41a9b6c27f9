/* UDP generic segmentation offload: one send call's message becomes many datagrams in the kernel. */

#ifndef KONSIL_SEGMENTS_H
#define KONSIL_SEGMENTS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#ifndef SOL_UDP
#define SOL_UDP 17
#endif
#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103
#endif
#ifndef UDP_GRO
#define UDP_GRO 104
#endif

struct segment_control {
    _Alignas(8) uint8_t bytes[CMSG_SPACE(sizeof(uint16_t))];
};

/* Group `count` datagrams for one address into messages: equal sizes, of which the last may be shorter. Without
 * `gso` each is a message of its own. Returns the number of messages. */
int segment(struct iovec *vectors, int count, bool gso, struct sockaddr_storage *name, socklen_t name_size,
            struct mmsghdr *messages, struct segment_control *controls);

#endif
