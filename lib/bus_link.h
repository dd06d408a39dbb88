/* One connection of the bus: the TCP mapping of the scalability protocols (8 bytes of greeting each
 * way, then messages with their length before them) over NNG's byte streams, TCP's or TLS's.
 * Included by lib/bus*.c only.
 *
 * NNG 1.5.2 has this mapping itself, below its request/reply sockets. There, a connection that ends
 * while a message is half read can block NNG's only clean-up thread for good: closing a socket then
 * hangs, and no connection of the process is freed any more. Its streams do not have that fault. */
#pragma once

#include "lib/bus_internal.h"

#define BUS_PROTOCOL_REQUEST 0x30 /* as NNG's req0 and rep0, which can speak with this */
#define BUS_PROTOCOL_REPLY 0x31

struct bus_link;

/* A kind of links: what they speak, their limits, and what they tell their owner, on threads of NNG
 * and holding no lock. closed comes last and once. */
struct bus_link_kind {
    int protocol, peer_protocol;
    int greeting_timeout_ms; /* for the peer's greeting, and the handshake of TLS before it */
    int send_timeout_ms;     /* for one frame; -1: none */
    size_t unsent_max_bytes; /* beyond, the peer counts as one that does not read */
    void (*opened)(void *owner);
    /* A message with a NUL behind, which the owner frees. The next one is read, and may be told by
     * another thread, once bus_link_receive asked for it. */
    void (*received)(void *owner, unsigned char *message, size_t length);
    void (*sent)(void *owner); /* a frame left, or was dropped because the link closed */
    void (*closed)(void *owner);
};

/* Takes the stream; the caller holds one reference to the link. */
struct bus_link *bus_link_new(nng_stream *stream, const struct bus_link_kind *kind, void *owner);
void bus_link_start(struct bus_link *l); /* begins the greeting; events may come from now on */
struct bus_link *bus_link_retain(struct bus_link *l);
void bus_link_release(struct bus_link *l);

/* A frame for bus_link_send: id and payload with their length before them. */
struct bus_frame;
struct bus_frame *bus_frame_new(const void *id, size_t id_length, const void *payload,
                                size_t payload_length);
void bus_frame_free(struct bus_frame *f); /* one that is not to be sent after all */

/* Takes the frame. False when the link is closed, or is closed now because its peer does not read:
 * then there is no sent event. Any thread, never blocks. */
bool bus_link_send(struct bus_link *l, struct bus_frame *f);

/* Asks for one more message, after opened and after each received. Any thread, never blocks. */
void bus_link_receive(struct bus_link *l);

void bus_link_close(
    struct bus_link *l); /* any thread; the events follow, or come before it returns */
bool bus_link_is_closed(struct bus_link *l);

/* Whether a deadline has passed, so that the owner, who asks now and then, should close the link:
 * its kind's for the greeting and for a frame that is to go, half a minute for a frame that has
 * begun to come, idle_ms of silence between messages (-1: never); or whether the peer is gone
 * unnoticed. */
bool bus_link_is_late(struct bus_link *l, int64_t now_ms, int64_t idle_ms);

/* Why it ended: an NNG error (NNG_EPROTO: no such greeting), 0 when this side closed it. */
int bus_link_failure(struct bus_link *l);
