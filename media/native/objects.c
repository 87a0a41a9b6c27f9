/* Transports, producers, consumers: made by Python, linked and unlinked here, freed by Python again. */

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "plane.h"

#ifndef __has_feature
#define __has_feature(feature) 0
#endif
/* GCC's word, and clang's */
#if defined __SANITIZE_ADDRESS__ || __has_feature(address_sanitizer)
#define SANITIZED 1
#else
#define SANITIZED 0
#endif

void *pages_make(size_t size)
{
    if (SANITIZED)
        return calloc(1, size);
    void *pages = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (pages == MAP_FAILED)
        return NULL;
    madvise(pages, size, MADV_NOHUGEPAGE);
    return pages;
}

void pages_free(void *pages, size_t size)
{
    if (SANITIZED)
        free(pages);
    else if (pages != NULL)
        munmap(pages, size);
}

/* The size of those that are pages; 0: of another kind. */
static size_t pages_of(int kind)
{
    switch (kind) {
    case OBJECT_TRANSPORT:
        return sizeof(struct transport);
    case OBJECT_PRODUCER:
        return sizeof(struct producer);
    case OBJECT_CONSUMER:
        return sizeof(struct consumer);
    default:
        return 0;
    }
}

void *object_make(struct plane *plane, enum object_kind kind, size_t size)
{
    struct retired *object = pages_of((int)kind) != 0 ? pages_make(size) : calloc(1, size);
    if (object != NULL) {
        object->kind = (int)kind;
        plane->live[kind]++;
    }
    return object;
}

void object_free(struct plane *plane, struct retired *object)
{
    plane->live[object->kind]--;
    if (object->kind == OBJECT_PRODUCER)
        for (int i = 0; i < MAX_ENCODINGS; i++)
            history_free(&((struct producer *)object)->encodings[i].history);
    if (object->kind == OBJECT_CONSUMER)
        free(((struct consumer *)object)->protection);
    if (object->kind == OBJECT_TRANSPORT) {
        struct transport *transport = (struct transport *)object;
        pages_free(transport->arrivals, sizeof *transport->arrivals);
        pages_free(transport->sent, sizeof *transport->sent);
        pages_free(transport->pacer, sizeof *transport->pacer);
    }
    if (object->kind == OBJECT_STREAM && ((struct stream *)object)->socket >= 0)
        close(((struct stream *)object)->socket);
    size_t pages = pages_of(object->kind);
    if (pages != 0)
        pages_free(object, pages);
    else
        free(object);
}

/* The plane is done with it. */
void retire(struct plane *plane, void *object)
{
    struct retired *retired = object;
    graveyard_push(&plane->graveyard, retired);
    plane->events_written = plane->events_written || retired->kind == OBJECT_TRANSPORT;
}

void add_transport(struct plane *plane, struct transport *transport)
{
    transport->next = plane->transports;
    plane->transports = transport;
}

static void release_address(struct plane *plane, const struct address *address)
{
    address_table_remove(&plane->addresses, address);
    shard_release(plane, address);
}

void remove_transport(struct plane *plane, struct transport *transport)
{
    probe_end(plane, transport);
    while (transport->consumers != NULL)
        remove_consumer(plane, transport->consumers);
    while (transport->producers != NULL)
        remove_producer(plane, transport->producers);
    for (int i = 0; i < transport->address_count; i++)
        release_address(plane, &transport->addresses[i]);
    if (transport->arrivals != NULL)
        wide_forget(plane, transport->arrivals);
    if (transport->pacer != NULL)
        pacer_unlist(plane, transport->pacer);
    struct transport **link = &plane->transports;
    while (*link != transport)
        link = &(*link)->next;
    *link = transport->next;
    retire(plane, transport);
}

static void select_nothing(struct transport *transport)
{
    transport->name_size = 0;
    transport->tcp = NULL;
}

static void select_address(struct plane *plane, struct transport *transport, const struct address *address)
{
    transport->selected = *address;
    transport->tcp = address->tcp ? stream_find(plane, address) : NULL;
    if (!address->tcp)
        transport->name_size = address_to_socket(address, plane->family, &transport->name);
    else if (transport->tcp != NULL)
        transport->name_size = sizeof transport->name; /* a stream is sent to without a name */
}

static void forget_address(struct transport *transport, int index)
{
    if (transport->name_size != 0 && address_equal(&transport->selected, &transport->addresses[index]))
        select_nothing(transport);
    transport->address_count--;
    memmove(transport->addresses + index, transport->addresses + index + 1,
            (size_t)(transport->address_count - index) * sizeof *transport->addresses);
}

static int find_address(const struct transport *transport, const struct address *address)
{
    int i = 0;
    while (i < transport->address_count && !address_equal(&transport->addresses[i], address))
        i++;
    return i;
}

/* The oldest address, but not the one that is sent to. */
static int oldest_address(const struct transport *transport)
{
    return transport->name_size != 0 && address_equal(&transport->selected, &transport->addresses[0]) ? 1 : 0;
}

void lose_address(struct plane *plane, struct transport *transport, const struct address *address)
{
    release_address(plane, address);
    forget_address(transport, find_address(transport, address));
}

void validate_address(struct plane *plane, struct transport *transport, const struct address *address, bool selected)
{
    if (address->tcp && stream_find(plane, address) == NULL)
        return; /* it was closed meanwhile */
    struct transport *previous = address_table_find(&plane->addresses, address);
    if (previous != NULL && previous != transport)
        forget_address(previous, find_address(previous, address));
    if (previous != transport) {
        if (transport->address_count == MAX_ADDRESSES) {
            int oldest = oldest_address(transport);
            release_address(plane, &transport->addresses[oldest]);
            forget_address(transport, oldest);
        }
        if (!address_table_put(&plane->addresses, address, transport))
            return; /* cannot be: the table holds MAX_ADDRESSES of all transports that Python may add */
        if (previous == NULL)
            shard_claim(plane, address);
        transport->addresses[transport->address_count++] = *address;
    }
    if (selected)
        select_address(plane, transport, address);
}

static void add_stream(struct transport *transport, uint32_t ssrc, struct encoding *encoding)
{
    if (ssrc == 0 || transport->stream_count == MAX_STREAMS)
        return;
    /* the encoding that came last has the SSRC */
    for (int i = 0; i < transport->stream_count; i++) {
        if (transport->stream_ssrcs[i] == ssrc) {
            transport->stream_encodings[i] = encoding;
            return;
        }
    }
    transport->stream_ssrcs[transport->stream_count] = ssrc;
    transport->stream_encodings[transport->stream_count++] = encoding;
}

static void remove_streams(struct transport *transport, const struct encoding *encoding)
{
    for (int i = 0; i < transport->stream_count;) {
        if (transport->stream_encodings[i] == encoding) {
            transport->stream_count--;
            transport->stream_ssrcs[i] = transport->stream_ssrcs[transport->stream_count];
            transport->stream_encodings[i] = transport->stream_encodings[transport->stream_count];
        } else {
            i++;
        }
    }
}

static void link_producer(struct plane *plane, struct producer *producer)
{
    struct transport *transport = producer->transport;
    struct producer **list = transport != NULL ? &transport->producers : &plane->injected;
    producer->next = *list;
    *list = producer;
    if (transport == NULL)
        return;
    if (producer->extension_ids[EXTENSION_TRANSPORT_WIDE] != 0)
        transport->wide_ids[EXTENSION_TRANSPORT_WIDE] = producer->extension_ids[EXTENSION_TRANSPORT_WIDE];
    for (int i = 0; i < producer->encoding_count; i++) {
        add_stream(transport, producer->encodings[i].ssrc, &producer->encodings[i]);
        add_stream(transport, producer->encodings[i].rtx_ssrc, &producer->encodings[i]);
    }
}

static void unlink_producer(struct plane *plane, struct producer *producer)
{
    struct transport *transport = producer->transport;
    struct producer **link = transport != NULL ? &transport->producers : &plane->injected;
    while (*link != producer)
        link = &(*link)->next;
    *link = producer->next;
    for (int i = 0; transport != NULL && i < producer->encoding_count; i++)
        remove_streams(transport, &producer->encodings[i]);
}

void add_producer(struct plane *plane, struct producer *producer)
{
    for (int i = 0; i < producer->encoding_count; i++)
        producer->encodings[i].key_frame_wanted = INT64_MIN / 2;
    link_producer(plane, producer);
}

/* Another SSRC: numbers, timestamps and layers begin anew. */
static void begin_anew(struct encoding *encoding)
{
    history_clear(&encoding->history);
    memset(encoding->structures, 0, sizeof encoding->structures);
    encoding->life++;
    tap_forget(encoding->producer, encoding->index);
    encoding->active = ALL_TARGETS;
    encoding->started = encoding->dealt_any = encoding->seen_transit = encoding->seen_key_frame = false;
    encoding->missing_count = 0;
    note(&encoding->frames, 0);
    encoding->offset_known = encoding->producer->encoding_count == 1;
    encoding->continues = false;
    encoding->timestamp_offset = 0;
    note(&encoding->told_offset, encoding->offset_known);
    note(&encoding->packets, 0);
    note(&encoding->first, 0);
    note(&encoding->highest, 0);
    for (struct consumer *consumer = encoding->producer->consumers; consumer != NULL;
         consumer = consumer->next_of_producer)
        layers_forget(consumer, encoding);
}

void set_encoding(struct plane *plane, struct encoding *encoding, uint32_t ssrc, uint32_t rtx_ssrc)
{
    struct transport *transport = encoding->producer->transport;
    if (ssrc != encoding->ssrc && encoding->ssrc != 0)
        begin_anew(encoding);
    (void)plane;
    encoding->ssrc = ssrc;
    encoding->rtx_ssrc = rtx_ssrc;
    if (transport == NULL)
        return;
    remove_streams(transport, encoding);
    add_stream(transport, ssrc, encoding);
    add_stream(transport, rtx_ssrc, encoding);
}

void remove_producer(struct plane *plane, struct producer *producer)
{
    while (producer->consumers != NULL)
        remove_consumer(plane, producer->consumers);
    unlink_producer(plane, producer);
    retire(plane, producer);
}

/* Note where the timeline stands, of whichever encoding went furthest. */
static void note_line(struct producer *producer)
{
    struct line *line = &producer->line;
    for (int i = 0; i < producer->encoding_count; i++) {
        const struct encoding *encoding = &producer->encodings[i];
        if (!encoding->offset_known || counted((counter *)&encoding->frames) == 0)
            continue;
        uint32_t newest = encoding->newest + encoding->timestamp_offset;
        if (!line->known || (int32_t)(newest - line->timestamp) > 0)
            *line = (struct line){true, newest, (int64_t)counted((counter *)&encoding->last_arrival)};
    }
}

void move_producer(struct plane *plane, struct producer *producer, struct transport *transport,
                   const struct stream_spec *spec)
{
    note_line(producer);
    unlink_producer(plane, producer);
    producer->transport = transport;
    producer->payload_type = spec->payload_type;
    producer->rtx_payload_type = spec->rtx_payload_type;
    producer->red_payload_type = spec->red_payload_type;
    producer->nack = spec->nack;
    memcpy(producer->extension_ids, spec->extension_ids, sizeof spec->extension_ids);
    producer->capture.known = producer->capture_offset_set = false;
    producer->tapping.moved = true;
    for (int i = 0; i < producer->encoding_count; i++) {
        struct encoding *encoding = &producer->encodings[i];
        begin_anew(encoding);
        encoding->ssrc = spec->ssrcs[i];
        encoding->rtx_ssrc = spec->rtx_ssrcs[i];
        encoding->continues = i == 0 && producer->line.known;
        encoding->offset_known = i == 0 && !producer->line.known;
        note(&encoding->told_offset, encoding->offset_known);
    }
    link_producer(plane, producer);
}

void add_consumer(struct plane *plane, struct consumer *consumer)
{
    (void)plane;
    consumer->next_of_producer = consumer->producer->consumers;
    consumer->producer->consumers = consumer;
    consumer->next_of_transport = consumer->transport->consumers;
    consumer->transport->consumers = consumer;
    consumer->state = CONSUMER_AWAITING;
    consumer->repeats_left_at = INT64_MIN / 2;
    consumer->rtx_sequence = consumer->fec_sequence = 1;
}

void remove_consumer(struct plane *plane, struct consumer *consumer)
{
    pacer_forget(consumer);
    struct consumer **link = &consumer->producer->consumers;
    while (*link != consumer)
        link = &(*link)->next_of_producer;
    *link = consumer->next_of_producer;
    link = &consumer->transport->consumers;
    while (*link != consumer)
        link = &(*link)->next_of_transport;
    *link = consumer->next_of_transport;
    retire(plane, consumer);
}
