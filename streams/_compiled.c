/* What is done with every single record, compiled: its bytes in a batch, headers and ids, digest and partition, and what
 * a state that is filled takes of it. `streams.transport.records_python` and `streams.state.slices` do the same, byte for
 * byte, where this is not built; tests hold them together.
 * Nothing here knows what a record means.
 */

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stdint.h>
#include <string.h>
#include <time.h>

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "little endian only: without this module lotrisk does the same in Python"
#endif

typedef unsigned char byte;

/* -- BLAKE2b with 16 bytes of digest (RFC 7693) */

#define DIGEST 16
#define BLOCK 128

static const uint64_t IV[8] = {
    0x6a09e667f3bcc908u, 0xbb67ae8584caa73bu, 0x3c6ef372fe94f82bu, 0xa54ff53a5f1d36f1u,
    0x510e527fade682d1u, 0x9b05688c2b3e6c1fu, 0x1f83d9abfb41bd6bu, 0x5be0cd19137e2179u,
};

static const byte SIGMA[12][16] = {
    {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}, {14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3},
    {11, 8, 12, 0, 5, 2, 15, 13, 10, 14, 3, 6, 7, 1, 9, 4}, {7, 9, 3, 1, 13, 12, 11, 14, 2, 6, 5, 10, 4, 0, 15, 8},
    {9, 0, 5, 7, 2, 4, 10, 15, 14, 1, 11, 12, 6, 8, 3, 13}, {2, 12, 6, 10, 0, 11, 8, 3, 4, 13, 7, 5, 15, 14, 1, 9},
    {12, 5, 1, 15, 14, 13, 4, 10, 0, 7, 6, 3, 9, 2, 8, 11}, {13, 11, 7, 14, 12, 1, 3, 9, 5, 0, 15, 4, 8, 6, 2, 10},
    {6, 15, 14, 9, 11, 3, 0, 8, 12, 2, 13, 7, 1, 4, 10, 5}, {10, 2, 8, 4, 7, 6, 1, 5, 15, 11, 9, 14, 3, 12, 13, 0},
    {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}, {14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3},
};

typedef struct {
    uint64_t h[8];
    uint64_t taken;
    byte block[BLOCK];
    size_t held;
} Hash;

static inline uint64_t turn(uint64_t x, int n) { return (x >> n) | (x << (64 - n)); }

#define MIX(a, b, c, d, x, y)                                                                                          \
    a += b + (x); d = turn(d ^ a, 32); c += d; b = turn(b ^ c, 24);                                                    \
    a += b + (y); d = turn(d ^ a, 16); c += d; b = turn(b ^ c, 63)

static void hash_block(Hash *hash, const byte *block, uint64_t taken, int is_last)
{
    uint64_t v[16], m[16];
    memcpy(m, block, BLOCK);
    memcpy(v, hash->h, sizeof hash->h);
    memcpy(v + 8, IV, sizeof IV);
    v[12] ^= taken;
    if (is_last)
        v[14] = ~v[14];
#pragma GCC unroll 12
    for (int round = 0; round < 12; round++) {
        const byte *s = SIGMA[round];
        MIX(v[0], v[4], v[8], v[12], m[s[0]], m[s[1]]);
        MIX(v[1], v[5], v[9], v[13], m[s[2]], m[s[3]]);
        MIX(v[2], v[6], v[10], v[14], m[s[4]], m[s[5]]);
        MIX(v[3], v[7], v[11], v[15], m[s[6]], m[s[7]]);
        MIX(v[0], v[5], v[10], v[15], m[s[8]], m[s[9]]);
        MIX(v[1], v[6], v[11], v[12], m[s[10]], m[s[11]]);
        MIX(v[2], v[7], v[8], v[13], m[s[12]], m[s[13]]);
        MIX(v[3], v[4], v[9], v[14], m[s[14]], m[s[15]]);
    }
    for (int i = 0; i < 8; i++)
        hash->h[i] ^= v[i] ^ v[i + 8];
}

static void hash_begin(Hash *hash)
{
    memcpy(hash->h, IV, sizeof IV);
    hash->h[0] ^= 0x01010000u ^ DIGEST;
    hash->taken = 0;
    hash->held = 0;
}

static void hash_add(Hash *hash, const void *data, size_t size)
{
    const byte *from = data;
    while (size) {
        if (hash->held == BLOCK) {
            hash->taken += BLOCK;
            hash_block(hash, hash->block, hash->taken, 0);
            hash->held = 0;
        }
        /* The last block, even a whole one, waits for the end. */
        while (!hash->held && size > BLOCK) {
            hash->taken += BLOCK;
            hash_block(hash, from, hash->taken, 0);
            from += BLOCK;
            size -= BLOCK;
        }
        size_t part = BLOCK - hash->held < size ? BLOCK - hash->held : size;
        memcpy(hash->block + hash->held, from, part);
        hash->held += part;
        from += part;
        size -= part;
    }
}

static void hash_end(Hash *hash, byte *digest)
{
    memset(hash->block + hash->held, 0, BLOCK - hash->held);
    hash_block(hash, hash->block, hash->taken + hash->held, 1);
    memcpy(digest, hash->h, DIGEST);
}

/* -- pieces of text and numbers */

typedef struct {
    const byte *data;
    Py_ssize_t size;
} Text;

static int text_of(PyObject *object, const char *what, Text *text)
{
    if (!PyBytes_Check(object)) {
        PyErr_Format(PyExc_TypeError, "%s must be bytes, not %.100s", what, Py_TYPE(object)->tp_name);
        return 0;
    }
    text->data = (const byte *)PyBytes_AS_STRING(object);
    text->size = PyBytes_GET_SIZE(object);
    return 1;
}

/* A size of -1 stands for None. */
static int text_or_none(PyObject *object, const char *what, Text *text)
{
    if (object != Py_None)
        return text_of(object, what, text);
    text->data = NULL;
    text->size = -1;
    return 1;
}

static int word_of(PyObject *object, const char *what, Text *text)
{
    if (!PyUnicode_Check(object)) {
        PyErr_Format(PyExc_TypeError, "%s must be str, not %.100s", what, Py_TYPE(object)->tp_name);
        return 0;
    }
    text->data = (const byte *)PyUnicode_AsUTF8AndSize(object, &text->size);
    return text->data != NULL;
}

static int number_of(PyObject *object, int64_t *number)
{
    *number = PyLong_AsLongLong(object);
    return *number != -1 || !PyErr_Occurred();
}

static inline byte *put(byte *to, const void *data, Py_ssize_t size)
{
    memcpy(to, data, (size_t)size);
    return to + size;
}

static inline byte *put_text(byte *to, Text text) { return put(to, text.data, text.size); }

static const char HEX[] = "0123456789abcdef";

static byte *put_hex(byte *to, const byte *data, Py_ssize_t size)
{
    for (Py_ssize_t i = 0; i < size; i++) {
        *to++ = (byte)HEX[data[i] >> 4];
        *to++ = (byte)HEX[data[i] & 15];
    }
    return to;
}

#define DECIMAL 20

static byte *put_decimal(byte *to, int64_t number)
{
    byte digits[DECIMAL];
    int count = 0;
    uint64_t left = number < 0 ? 0 - (uint64_t)number : (uint64_t)number;
    if (number < 0)
        *to++ = '-';
    do {
        digits[count++] = (byte)('0' + left % 10);
        left /= 10;
    } while (left);
    while (count)
        *to++ = digits[--count];
    return to;
}

static inline uint64_t zigzag(int64_t number) { return ((uint64_t)number << 1) ^ (uint64_t)(number >> 63); }

static inline Py_ssize_t varint_size(int64_t number)
{
    uint64_t left = zigzag(number);
    Py_ssize_t size = 1;
    while (left >>= 7)
        size++;
    return size;
}

static inline byte *put_varint(byte *to, int64_t number)
{
    uint64_t left = zigzag(number);
    while (left > 0x7f) {
        *to++ = (byte)(left | 0x80);
        left >>= 7;
    }
    *to++ = (byte)left;
    return to;
}

static inline Py_ssize_t field_size(Text text) { return varint_size(text.size) + (text.size > 0 ? text.size : 0); }

static inline byte *put_field(byte *to, Text text)
{
    to = put_varint(to, text.size);
    return text.size > 0 ? put_text(to, text) : to;
}

/* -- the headers of one kind of output */

#define TIME_SIZE 24
_Static_assert(2 * DIGEST < 64 && TIME_SIZE < 64, "the lengths of id and time take a byte");
#define LAST_MS INT64_C(253402300799999)

typedef struct {
    PyObject_HEAD
    PyObject *kept; /* a tuple of the bytes below */
    Text constant, identity, order, order_prefix, time, trace, layout, adds;
    int64_t constant_count, second;
    Hash before;
    char second_text[32];
} Stamp;

static int stamp_init(Stamp *self, PyObject *args, PyObject *named)
{
    static char *names[] = {"constant", "count", "hashed", "order_prefix", "names", NULL};
    PyObject *constant, *hashed, *prefix, *of_headers;
    Py_ssize_t count;
    if (!PyArg_ParseTupleAndKeywords(args, named, "SnSSO!:Stamp", names, &constant, &count, &hashed, &prefix,
                                     &PyTuple_Type, &of_headers))
        return -1;
    if (PyTuple_GET_SIZE(of_headers) != 6) {
        PyErr_SetString(PyExc_ValueError, "names are those of id, order, time, trace, layout and contribution");
        return -1;
    }
    Text found[6], same, order, hash;
    for (int i = 0; i < 6; i++)
        if (!text_of(PyTuple_GET_ITEM(of_headers, i), "a header's name", &found[i]))
            return -1;
    if (!text_of(constant, "constant", &same) || !text_of(prefix, "order_prefix", &order) ||
        !text_of(hashed, "hashed", &hash))
        return -1;
    PyObject *kept = Py_BuildValue("(OOO)", constant, prefix, of_headers);
    if (kept == NULL)
        return -1;
    /* Only now, and all together: what is pointed to must be what is kept. */
    Py_XSETREF(self->kept, kept);
    self->identity = found[0];
    self->order = found[1];
    self->time = found[2];
    self->trace = found[3];
    self->layout = found[4];
    self->adds = found[5];
    self->constant = same;
    self->order_prefix = order;
    self->constant_count = count;
    self->second = -1;
    hash_begin(&self->before);
    hash_add(&self->before, hash.data, (size_t)hash.size);
    return 0;
}

static void stamp_dealloc(Stamp *self)
{
    Py_XDECREF(self->kept);
    Py_TYPE(self)->tp_free((PyObject *)self);
}

/* RFC 3339 to the millisecond; 0 where there is no time. */
static int stamp_time(Stamp *self, int64_t ms, byte *to)
{
    if (ms < 0)
        return 0;
    if (ms > LAST_MS)
        ms = LAST_MS;
    int64_t second = ms / 1000;
    if (second != self->second) {
        time_t moment = (time_t)second;
        struct tm parts;
        if (gmtime_r(&moment, &parts) == NULL ||
            strftime(self->second_text, sizeof self->second_text, "%Y-%m-%dT%H:%M:%S.", &parts) != TIME_SIZE - 4)
            return 0;
        self->second = second;
    }
    to = put(to, self->second_text, TIME_SIZE - 4);
    int rest = (int)(ms % 1000);
    *to++ = (byte)('0' + rest / 100);
    *to++ = (byte)('0' + rest / 10 % 10);
    *to++ = (byte)('0' + rest % 10);
    *to = 'Z';
    return 1;
}

static PyTypeObject StampType = {
    PyVarObject_HEAD_INIT(NULL, 0)
    .tp_name = "streams._compiled.Stamp",
    .tp_basicsize = sizeof(Stamp),
    .tp_dealloc = (destructor)stamp_dealloc,
    .tp_flags = Py_TPFLAGS_DEFAULT,
    .tp_doc = "See streams.transport.records_python.Stamp.",
    .tp_init = (initproc)stamp_init,
    .tp_new = PyType_GenericNew,
};

/* -- the records of one batch */

typedef struct {
    PyObject_HEAD
    byte *data;
    Py_ssize_t size, room, limit;
    int64_t count, first_ms, last_ms;
} Records;

static int records_init(Records *self, PyObject *args, PyObject *named)
{
    static char *names[] = {"limit", NULL};
    return PyArg_ParseTupleAndKeywords(args, named, "n:Records", names, &self->limit) ? 0 : -1;
}

static void records_dealloc(Records *self)
{
    PyMem_Free(self->data);
    Py_TYPE(self)->tp_free((PyObject *)self);
}

/* Begin a record of `size` bytes after its attributes, time and number: where to write them. NULL without an error set
 * where the batch is full. */
static byte *records_begin(Records *self, int64_t timestamp_ms, Py_ssize_t size)
{
    int64_t delta = self->count ? (int64_t)((uint64_t)timestamp_ms - (uint64_t)self->first_ms) : 0;
    Py_ssize_t length = 1 + varint_size(delta) + varint_size(self->count) + size;
    Py_ssize_t total = varint_size(length) + length;
    if (self->count && self->size + total > self->limit)
        return NULL;
    if (self->room - self->size < total) {
        Py_ssize_t room = 2 * self->room > self->size + total ? 2 * self->room : self->size + total + 4096;
        byte *data = PyMem_Realloc(self->data, (size_t)room);
        if (data == NULL) {
            PyErr_NoMemory();
            return NULL;
        }
        self->data = data;
        self->room = room;
    }
    if (!self->count)
        self->first_ms = self->last_ms = timestamp_ms;
    byte *to = put_varint(self->data + self->size, length);
    *to++ = 0;
    to = put_varint(to, delta);
    to = put_varint(to, self->count);
    self->size += total;
    self->count++;
    if (timestamp_ms > self->last_ms)
        self->last_ms = timestamp_ms;
    return to;
}

static PyObject *records_add(Records *self, PyObject *const *args, Py_ssize_t count)
{
    Text key, value, headers;
    int64_t timestamp_ms;
    if (count != 4) {
        PyErr_SetString(PyExc_TypeError, "add(key, value, headers, timestamp_ms)");
        return NULL;
    }
    if (!text_or_none(args[0], "key", &key) || !text_or_none(args[1], "value", &value) ||
        !text_of(args[2], "headers", &headers) || !number_of(args[3], &timestamp_ms))
        return NULL;
    byte *to = records_begin(self, timestamp_ms, field_size(key) + field_size(value) + headers.size);
    if (to == NULL) {
        if (PyErr_Occurred())
            return NULL;
        Py_RETURN_FALSE;
    }
    put_text(put_field(put_field(to, key), value), headers);
    Py_RETURN_TRUE;
}

#define TEXT(literal) ((Text){(const byte *)(literal), sizeof(literal) - 1})

static PyObject *records_add_enriched(Records *self, PyObject *const *args, Py_ssize_t count)
{
    Text key, body, flags, book, digest, trace, adds;
    int64_t canonical_end, updated_ms = 0, offset, input_ms, output_ms;
    if (count != 13) {
        PyErr_SetString(PyExc_TypeError, "add_enriched takes 13 arguments");
        return NULL;
    }
    if (!Py_IS_TYPE(args[0], &StampType) || ((Stamp *)args[0])->kept == NULL) {
        PyErr_SetString(PyExc_TypeError, "stamp must be a Stamp");
        return NULL;
    }
    Stamp *stamp = (Stamp *)args[0];
    if (!text_of(args[1], "key", &key) || !text_of(args[2], "body", &body) || !text_of(args[3], "flags", &flags) ||
        !word_of(args[4], "book", &book) || !number_of(args[5], &canonical_end) ||
        (args[6] != Py_None && !number_of(args[6], &updated_ms)) || !text_of(args[7], "digest", &digest) ||
        !number_of(args[8], &offset) || !number_of(args[9], &input_ms) || !number_of(args[10], &output_ms) ||
        !text_or_none(args[11], "trace", &trace) || !text_of(args[12], "adds", &adds))
        return NULL;
    if (digest.size != DIGEST) {
        PyErr_SetString(PyExc_ValueError, "a digest has 16 bytes");
        return NULL;
    }
    const Text flags_name = TEXT(",\"flags\":"), book_name = TEXT(",\"book\":\"");
    Py_ssize_t book_start = body.size + flags_name.size + flags.size;
    Py_ssize_t value_size = book_start + book_name.size + book.size + 2;

    byte layout[4 * (DECIMAL + 1) + 2 * DIGEST + 4], *end = put_decimal(layout, canonical_end);
    *end++ = '/';
    end = put_decimal(end, body.size);
    *end++ = '/';
    end = put_decimal(end, book_start);
    *end++ = '/';
    if (args[6] != Py_None)
        end = put_decimal(end, updated_ms);
    *end++ = '/';
    end = put_hex(end, digest.data, DIGEST);
    const Text marks = {layout, end - layout};

    byte number[DECIMAL + 1];
    const Text place = {number, put_decimal(number, offset) - number};
    byte time[TIME_SIZE];
    const int has_time = stamp_time(stamp, input_ms, time);
    const int64_t others = has_time + (trace.size >= 0) + (adds.size > 0);
    const int64_t headers = stamp->constant_count + 3 + others;
    const Py_ssize_t order_size = stamp->order_prefix.size + place.size + 1 + book.size;
    Py_ssize_t size = field_size(key) + varint_size(value_size) + value_size + varint_size(headers) +
                      stamp->constant.size + stamp->identity.size + 1 + 2 * DIGEST + stamp->order.size +
                      varint_size(order_size) + order_size + stamp->layout.size + field_size(marks);
    if (has_time)
        size += stamp->time.size + 1 + TIME_SIZE;
    if (trace.size >= 0)
        size += stamp->trace.size + field_size(trace);
    if (adds.size)
        size += stamp->adds.size + field_size(adds);

    byte *to = records_begin(self, output_ms, size);
    if (to == NULL) {
        if (PyErr_Occurred())
            return NULL;
        Py_RETURN_FALSE;
    }
    to = put_field(to, key);
    to = put_varint(to, value_size);
    to = put_text(put_text(put_text(put_text(put_text(to, body), flags_name), flags), book_name), book);
    *to++ = '"';
    *to++ = '}';

    to = put_text(put_varint(to, headers), stamp->constant);
    to = put_varint(put_text(to, stamp->identity), 2 * DIGEST);
    Hash hash = stamp->before;
    byte id[DIGEST];
    hash_add(&hash, place.data, (size_t)place.size);
    hash_add(&hash, "\n", 1);
    hash_add(&hash, book.data, (size_t)book.size);
    hash_end(&hash, id);
    to = put_hex(to, id, DIGEST);
    to = put_varint(put_text(to, stamp->order), order_size);
    to = put_text(put_text(to, stamp->order_prefix), place);
    *to++ = '/';
    to = put_text(to, book);
    if (has_time)
        to = put(put_varint(put_text(to, stamp->time), TIME_SIZE), time, TIME_SIZE);
    if (trace.size >= 0)
        to = put_field(put_text(to, stamp->trace), trace);
    to = put_field(put_text(to, stamp->layout), marks);
    if (adds.size)
        to = put_field(put_text(to, stamp->adds), adds);
    if (to != self->data + self->size)
        Py_FatalError("a record's length and its bytes differ");
    Py_RETURN_TRUE;
}

static PyObject *records_take(Records *self, PyObject *Py_UNUSED(none))
{
    PyObject *taken = PyBytes_FromStringAndSize((const char *)self->data, self->size);
    if (taken != NULL) {
        PyMem_Free(self->data);
        self->data = NULL;
        self->room = self->size = 0;
    }
    return taken;
}

static PyObject *records_get(Records *self, void *which)
{
    switch ((intptr_t)which) {
    case 0: return PyLong_FromLongLong(self->count);
    case 1: return PyLong_FromSsize_t(self->size);
    case 2: return PyLong_FromLongLong(self->first_ms);
    default: return PyLong_FromLongLong(self->last_ms);
    }
}

static PyGetSetDef records_attributes[] = {
    {"count", (getter)records_get, NULL, NULL, (void *)0},
    {"size", (getter)records_get, NULL, NULL, (void *)1},
    {"first_ms", (getter)records_get, NULL, NULL, (void *)2},
    {"last_ms", (getter)records_get, NULL, NULL, (void *)3},
    {NULL},
};

static PyMethodDef records_methods[] = {
    {"add", (PyCFunction)(void (*)(void))records_add, METH_FASTCALL, NULL},
    {"add_enriched", (PyCFunction)(void (*)(void))records_add_enriched, METH_FASTCALL, NULL},
    {"take", (PyCFunction)records_take, METH_NOARGS, NULL},
    {NULL},
};

static PyTypeObject RecordsType = {
    PyVarObject_HEAD_INIT(NULL, 0)
    .tp_name = "streams._compiled.Records",
    .tp_basicsize = sizeof(Records),
    .tp_dealloc = (destructor)records_dealloc,
    .tp_flags = Py_TPFLAGS_DEFAULT,
    .tp_doc = "See streams.transport.records_python.Records.",
    .tp_methods = records_methods,
    .tp_getset = records_attributes,
    .tp_init = (initproc)records_init,
    .tp_new = PyType_GenericNew,
};

/* -- functions */

static PyObject *digest(PyObject *Py_UNUSED(module), PyObject *const *args, Py_ssize_t count)
{
    Hash hash;
    hash_begin(&hash);
    for (Py_ssize_t i = 0; i < count; i++) {
        Text part;
        if (!text_of(args[i], "a part", &part))
            return NULL;
        hash_add(&hash, part.data, (size_t)part.size);
    }
    byte found[DIGEST];
    hash_end(&hash, found);
    return PyBytes_FromStringAndSize((const char *)found, DIGEST);
}

/* One header of a record; `name` and `content` are borrowed from it. */
static int header_of(PyObject *header, Text *name, Text *content)
{
    if (!PyTuple_Check(header) || PyTuple_GET_SIZE(header) != 2) {
        PyErr_SetString(PyExc_TypeError, "a header is a name and its content");
        return 0;
    }
    return word_of(PyTuple_GET_ITEM(header, 0), "a header's name", name) &&
           text_or_none(PyTuple_GET_ITEM(header, 1), "a header's content", content);
}

static PyObject *encode_headers(PyObject *Py_UNUSED(module), PyObject *headers)
{
    PyObject *made = NULL, *list = PySequence_Fast(headers, "headers must be a sequence");
    if (list == NULL)
        return NULL;
    Text name, content;
    Py_ssize_t count = PySequence_Fast_GET_SIZE(list), size = varint_size(count);
    for (Py_ssize_t i = 0; i < count; i++) {
        if (!header_of(PySequence_Fast_GET_ITEM(list, i), &name, &content))
            goto done;
        size += field_size(name) + field_size(content);
    }
    made = PyBytes_FromStringAndSize(NULL, size);
    if (made == NULL)
        goto done;
    byte *to = put_varint((byte *)PyBytes_AS_STRING(made), count);
    for (Py_ssize_t i = 0; i < count; i++)
        if (header_of(PySequence_Fast_GET_ITEM(list, i), &name, &content))
            to = put_field(put_field(to, name), content);
done:
    Py_DECREF(list);
    return made;
}

static uint32_t murmur2(const byte *data, Py_ssize_t size)
{
    const uint32_t m = 0x5bd1e995u;
    uint32_t h = 0x9747b28cu ^ (uint32_t)size;
    for (; size >= 4; data += 4, size -= 4) {
        uint32_t k;
        memcpy(&k, data, 4);
        k *= m;
        k ^= k >> 24;
        h = h * m ^ k * m;
    }
    if (size) {
        for (Py_ssize_t i = 0; i < size; i++)
            h ^= (uint32_t)data[i] << 8 * i;
        h *= m;
    }
    h ^= h >> 13;
    h *= m;
    return h ^ h >> 15;
}

static PyObject *count_elsewhere(PyObject *Py_UNUSED(module), PyObject *args)
{
    PyObject *keys;
    long partition, partitions, found = 0;
    if (!PyArg_ParseTuple(args, "O!ll:count_elsewhere", &PyList_Type, &keys, &partition, &partitions))
        return NULL;
    if (partitions <= 0) {
        PyErr_SetString(PyExc_ValueError, "a topic has a partition at least");
        return NULL;
    }
    for (Py_ssize_t i = 0; i < PyList_GET_SIZE(keys); i++) {
        Text key;
        if (!text_of(PyList_GET_ITEM(keys, i), "a key", &key))
            return NULL;
        found += (long)(murmur2(key.data, key.size) & 0x7fffffff) % partitions != partition;
    }
    return PyLong_FromLong(found);
}

/* -- a slice of records for a state that is filled: see streams.state.filling */

#define HEAD_FIXED 40
#define LIVE 1
#define AMOUNTS 256

static const char FLAGS[] = ",\"flags\":";
static const char BOOK[] = ",\"book\":\"";
#define FLAGS_SIZE ((Py_ssize_t)sizeof FLAGS - 1)
#define BOOK_SIZE ((Py_ssize_t)sizeof BOOK - 1)

/* The decimal number at *at, below 10^18 and moved past; 0 where there is none. */
static int read_decimal(const byte **at, const byte *end, int64_t *number)
{
    const byte *from = *at;
    int64_t found = 0;
    while (*at < end && **at >= '0' && **at <= '9' && *at - from < 18)
        found = found * 10 + (*(*at)++ - '0');
    *number = found;
    return *at > from && (*at == end || **at < '0' || **at > '9');
}

static int read_signed(const byte **at, const byte *end, int64_t *number)
{
    int is_negative = *at < end && **at == '-';
    *at += is_negative;
    if (!read_decimal(at, end, number))
        return 0;
    if (is_negative)
        *number = -*number;
    return 1;
}

static int read_mark(const byte **at, const byte *end, byte mark) { return *at < end && *(*at)++ == mark; }

static int hex_digit(byte digit)
{
    return digit >= '0' && digit <= '9' ? digit - '0' : digit >= 'a' && digit <= 'f' ? digit - 'a' + 10 : -1;
}

static int is_ascii(Text text)
{
    for (Py_ssize_t i = 0; i < text.size; i++)
        if (text.data[i] > 0x7f)
            return 0;
    return 1;
}

typedef struct {
    int64_t canonical_end, flags_start, book_start, updated_ms, offset;
    byte digest[DIGEST];
    Text topic, order_book, book;
} Published;

/* What layout, order and value say; 0 where one of them is unusual. */
static int read_published(Text value, Text layout, Text order, Published *found)
{
    const byte *at = layout.data, *end = layout.data + layout.size;
    if (!read_decimal(&at, end, &found->canonical_end) || !read_mark(&at, end, '/') ||
        !read_decimal(&at, end, &found->flags_start) || !read_mark(&at, end, '/') ||
        !read_decimal(&at, end, &found->book_start) || !read_mark(&at, end, '/'))
        return 0;
    found->updated_ms = INT64_MIN;
    if (at < end && *at != '/' && !read_signed(&at, end, &found->updated_ms))
        return 0;
    if (!read_mark(&at, end, '/') || end - at != 2 * DIGEST)
        return 0;
    for (int i = 0; i < DIGEST; i++, at += 2) {
        int high = hex_digit(at[0]), low = hex_digit(at[1]);
        if (high < 0 || low < 0)
            return 0;
        found->digest[i] = (byte)(high << 4 | low);
    }
    if (!(0 < found->canonical_end && found->canonical_end <= found->flags_start &&
          found->flags_start < found->book_start && found->flags_start + FLAGS_SIZE <= found->book_start &&
          found->book_start + BOOK_SIZE + 2 < value.size &&
          !memcmp(value.data + found->flags_start, FLAGS, FLAGS_SIZE) &&
          !memcmp(value.data + found->book_start, BOOK, BOOK_SIZE)))
        return 0;
    found->book.data = value.data + found->book_start + BOOK_SIZE;
    found->book.size = value.data + value.size - 2 - found->book.data;
    at = order.data;
    end = order.data + order.size;
    found->topic.data = at;
    while (at < end && *at != '/')
        at++;
    found->topic.size = at - found->topic.data;
    if (!read_mark(&at, end, '/') || !read_decimal(&at, end, &found->offset) || !read_mark(&at, end, '/'))
        return 0;
    found->order_book.data = at;
    found->order_book.size = end - at;
    Text *texts[] = {&found->topic, &found->order_book, &found->book};
    for (int i = 0; i < 3; i++)
        if (texts[i]->size < 1 || texts[i]->size > 255 || !is_ascii(*texts[i]))
            return 0;
    return memchr(found->order_book.data, '/', (size_t)found->order_book.size) == NULL;
}

/* The bytes of `streams.state.codec.held`. */
static PyObject *head_of(const Published *found, Text value, Text adds)
{
    const byte *flags = value.data + found->flags_start + FLAGS_SIZE;
    Py_ssize_t flags_size = found->book_start - found->flags_start - FLAGS_SIZE;
    PyObject *head = PyBytes_FromStringAndSize(NULL, HEAD_FIXED + found->topic.size + found->order_book.size +
                                                         found->book.size + adds.size + flags_size);
    if (head == NULL)
        return NULL;
    byte *to = (byte *)PyBytes_AS_STRING(head);
    uint32_t adds_size = (uint32_t)adds.size;
    *to++ = LIVE;
    to = put(to, &found->updated_ms, 8);
    to = put(to, &found->offset, 8);
    to = put(to, found->digest, DIGEST);
    to = put(to, &adds_size, 4);
    *to++ = (byte)found->topic.size;
    *to++ = (byte)found->order_book.size;
    *to++ = (byte)found->book.size;
    to = put_text(to, found->topic);
    to = put_text(to, found->order_book);
    to = put_text(to, found->book);
    to = put_text(to, adds);
    put(to, flags, flags_size);
    return head;
}

static PyObject *canonical_of(const Published *found, Text value)
{
    PyObject *canonical = PyBytes_FromStringAndSize(NULL, found->canonical_end + 1);
    if (canonical != NULL)
        *put((byte *)PyBytes_AS_STRING(canonical), value.data, found->canonical_end) = '}';
    return canonical;
}

/* Add a contribution's amounts to its cell's in `sums`, a bytearray of numbers; 0 where it is none, -1 for an error. */
static int add_amounts(Text adds, PyObject *sums)
{
    int64_t amounts[AMOUNTS];
    Py_ssize_t count = 0;
    const byte *at = adds.data, *end = adds.data + adds.size;
    if (!read_mark(&at, end, '[') || !read_mark(&at, end, '['))
        return 0;
    do {
        const byte *from = at;
        if (count == AMOUNTS || !read_signed(&at, end, &amounts[count++]))
            return 0;
        from += *from == '-';
        /* JSON knows neither 01 nor, as a whole number, -0. */
        if (*from == '0' && (at - from > 1 || from[-1] == '-'))
            return 0;
    } while (at < end && *at == ',' && ++at);
    if (!read_mark(&at, end, ']') || end - at < 2 || *at != ',' || end[-1] != ']')
        return 0;
    PyObject *cell = PyBytes_FromStringAndSize((const char *)at + 1, end - at - 2);
    if (cell == NULL)
        return -1;
    PyObject *before = PyDict_GetItemWithError(sums, cell);
    int done = -1;
    if (before != NULL) {
        int64_t *summed = (int64_t *)PyByteArray_AS_STRING(before);
        done = PyByteArray_GET_SIZE(before) == count * (Py_ssize_t)sizeof *amounts;
        for (Py_ssize_t i = 0; done && i < count; i++)
            done = !__builtin_add_overflow(summed[i], amounts[i], &amounts[i]);
        if (done)
            memcpy(summed, amounts, (size_t)count * sizeof *amounts);
    } else if (!PyErr_Occurred()) {
        PyObject *first = PyByteArray_FromStringAndSize((const char *)amounts, count * (Py_ssize_t)sizeof *amounts);
        if (first != NULL && PyDict_SetItem(sums, cell, first) == 0)
            done = 1;
        Py_XDECREF(first);
    }
    Py_DECREF(cell);
    return done;
}

/* Bytearrays of numbers become lists. */
static int numbers_listed(PyObject *sums)
{
    PyObject *cell, *amounts;
    Py_ssize_t place = 0;
    while (PyDict_Next(sums, &place, &cell, &amounts)) {
        Py_ssize_t count = PyByteArray_GET_SIZE(amounts) / (Py_ssize_t)sizeof(int64_t);
        PyObject *listed = PyList_New(count);
        if (listed == NULL)
            return 0;
        for (Py_ssize_t i = 0; i < count; i++) {
            PyObject *number = PyLong_FromLongLong(((int64_t *)PyByteArray_AS_STRING(amounts))[i]);
            if (number == NULL) {
                Py_DECREF(listed);
                return 0;
            }
            PyList_SET_ITEM(listed, i, number);
        }
        /* Of a key that is there: the dictionary keeps its form. */
        int done = PyDict_SetItem(sums, cell, listed);
        Py_DECREF(listed);
        if (done < 0)
            return 0;
    }
    return 1;
}

static int is_named(PyObject *name, PyObject *wanted)
{
    return name == wanted || (PyUnicode_Check(name) && PyUnicode_GET_LENGTH(name) == PyUnicode_GET_LENGTH(wanted) &&
                              !PyUnicode_Compare(name, wanted));
}

/* Order, layout and contribution among the headers, as texts of size -1 where they aren't there or are null. */
static int read_headers(PyObject *headers, PyObject *const *names, Text *found)
{
    PyObject *pairs = PySequence_Fast(headers, "headers are no sequence");
    if (pairs == NULL)
        return 0;
    int done = 1;
    for (int i = 0; i < 3; i++)
        found[i] = (Text){NULL, -1};
    for (Py_ssize_t i = 0; done && i < PySequence_Fast_GET_SIZE(pairs); i++) {
        PyObject *pair = PySequence_Fast_GET_ITEM(pairs, i);
        if (!PyTuple_Check(pair) || PyTuple_GET_SIZE(pair) != 2) {
            PyErr_SetString(PyExc_TypeError, "a header is a pair");
            done = 0;
            break;
        }
        for (int j = 0; j < 3; j++)
            if (is_named(PyTuple_GET_ITEM(pair, 0), names[j]))
                done = done && text_or_none(PyTuple_GET_ITEM(pair, 1), "a header's content", &found[j]);
    }
    Py_DECREF(pairs);
    return done;
}

/* Append (key, head, canonical) of a record to `rows`; 0 where it is unusual, -1 for an error. */
static int take_record(PyObject *key, PyObject *value, PyObject *headers, PyObject *const *names, PyObject *rows,
                       PyObject *sums)
{
    Text text, found[3];
    Published published;
    if (!text_of(value, "a value", &text) || !read_headers(headers, names, found))
        return -1;
    Text adds = found[2].size > 0 ? found[2] : (Text){NULL, 0};
    if (found[0].size < 0 || found[1].size < 0 || !read_published(text, found[1], found[0], &published))
        return 0;
    if (adds.size) {
        int done = add_amounts(adds, sums);
        if (done < 1)
            return done;
    }
    PyObject *head = head_of(&published, text, adds), *canonical = canonical_of(&published, text);
    PyObject *row = head != NULL && canonical != NULL ? PyTuple_Pack(3, key, head, canonical) : NULL;
    Py_XDECREF(head);
    Py_XDECREF(canonical);
    int done = row != NULL && PyList_Append(rows, row) == 0 ? 1 : -1;
    Py_XDECREF(row);
    return done;
}

static PyObject *take_apart(PyObject *Py_UNUSED(module), PyObject *args)
{
    PyObject *records, *seen, *names[3];
    if (!PyArg_ParseTuple(args, "OO!UUU:take_apart", &records, &PyByteArray_Type, &seen, &names[0], &names[1],
                          &names[2]))
        return NULL;
    PyObject *all = PySequence_Fast(records, "records are no sequence");
    if (all == NULL)
        return NULL;
    PyObject *rows = PyList_New(0), *others = PyList_New(0), *sums = PyDict_New();
    PyObject *attributes[] = {
        PyUnicode_InternFromString("key"), PyUnicode_InternFromString("value"), PyUnicode_InternFromString("headers")};
    int done = rows && others && sums && attributes[0] && attributes[1] && attributes[2] ? 1 : -1;
    if (!PyByteArray_GET_SIZE(seen)) {
        PyErr_SetString(PyExc_ValueError, "there is no room for marks");
        done = -1;
    }
    for (Py_ssize_t i = 0; done >= 0 && i < PySequence_Fast_GET_SIZE(all); i++) {
        PyObject *record = PySequence_Fast_GET_ITEM(all, i);
        PyObject *key = PyObject_GetAttr(record, attributes[0]), *value = PyObject_GetAttr(record, attributes[1]);
        PyObject *headers = PyObject_GetAttr(record, attributes[2]);
        done = key != NULL && value != NULL && headers != NULL ? 0 : -1;
        if (!done && key != Py_None) {
            Py_hash_t hash = PyObject_Hash(key);
            char *slot = PyByteArray_AS_STRING(seen) + (size_t)hash % (size_t)PyByteArray_GET_SIZE(seen);
            if (hash == -1)
                done = -1;
            else if (!*slot) {
                /* Whatever becomes of the record: the next one of this key stands behind it. */
                *slot = 1;
                if (value != Py_None)
                    done = take_record(key, value, headers, names, rows, sums);
            }
        }
        if (!done)
            done = PyList_Append(others, record);
        Py_XDECREF(key);
        Py_XDECREF(value);
        Py_XDECREF(headers);
    }
    PyObject *found = done >= 0 && numbers_listed(sums) ? PyTuple_Pack(3, rows, sums, others) : NULL;
    Py_XDECREF(rows);
    Py_XDECREF(sums);
    Py_XDECREF(others);
    for (int i = 0; i < 3; i++)
        Py_XDECREF(attributes[i]);
    Py_DECREF(all);
    return found;
}

static PyMethodDef functions[] = {
    {"digest", (PyCFunction)(void (*)(void))digest, METH_FASTCALL, "16 bytes of BLAKE2b of the parts, as if joined."},
    {"encode_headers", encode_headers, METH_O, "See streams.transport.records_python."},
    {"count_elsewhere", count_elsewhere, METH_VARARGS, "See streams.transport.partitioning."},
    {"take_apart", take_apart, METH_VARARGS, "See streams.state.slices."},
    {NULL},
};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT,
    .m_name = "streams._compiled",
    .m_doc = "Records on the wire, compiled; see streams.transport.records_python.",
    .m_size = -1,
    .m_methods = functions,
};

PyMODINIT_FUNC PyInit__compiled(void)
{
    PyObject *module = PyModule_Create(&definition);
    if (module == NULL || PyModule_AddType(module, &StampType) < 0 || PyModule_AddType(module, &RecordsType) < 0) {
        Py_XDECREF(module);
        return NULL;
    }
    return module;
}
