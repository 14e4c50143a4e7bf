/* SPDX-License-Identifier: MIT
 * NATS JetStream with a stream, in memory or in files, that works as a queue, and pull consumers. It has
 * no Unix sockets. Acknowledgements have no reply. */
#include <nats/nats.h>
#include <stdio.h>
#include <stdlib.h>

#include "bench/server.h"

#define WAIT_MS	 60000
#define START_MS 500
#define STARTS	 20

struct client {
	natsOptions *options;
	natsConnection *nc;
	jsCtx *js;
	natsSubscription *sub;
	const struct load *load;
};

static const char *
missing(const struct server *server)
{
	char program[64];

	return program_find("nats-server", program, sizeof(program))
		       ? NULL
		       : "nats-server is not installed";
}

/* Writes a configuration with a sync before each confirmation. Servers before 2.10 have no
 * such thing, and sync every two minutes. */
static bool
can_sync(const struct server *server, const char *program, const char *config)
{
	char check[400];
	FILE *f = fopen(config, "w");

	if (!f)
		return false;
	fprintf(f, "jetstream { store_dir: \"%s\", sync_interval: always }\n",
		server->data);
	fclose(f);
	snprintf(check, sizeof(check), "%s -t -c %s >/dev/null 2>&1", program, config);
	if (system(check) == 0)
		return true;
	fprintf(stderr, "bench: this nats-server confirms without a sync\n");
	return false;
}

static bool
start(struct server *server)
{
	char program[64], port[16], config[128];
	char *arguments[] = {(char *)"nats-server", (char *)"-a",   (char *)"127.0.0.1",
			     (char *)"-p",	    port,	    (char *)"-js",
			     (char *)"-sd",	    server->folder, NULL};

	if (!program_find("nats-server", program, sizeof(program)))
		return false;
	snprintf(port, sizeof(port), "%d", server->port);
	snprintf(config, sizeof(config), "%s/config", server->folder);
	if (server->keeps)
		arguments[7] = server->data;
	if (server->keeps && can_sync(server, program, config)) {
		arguments[5] = (char *)"-c";
		arguments[6] = config;
		arguments[7] = NULL;
	}
	return server_run(server, program, arguments);
}

static void
check(natsStatus s, const char *what)
{
	if (s != NATS_OK)
		die("nats: %s: %s", what, natsStatus_GetText(s));
}

static void
make_stream(struct client *c, bool kept)
{
	const char *subjects[] = {QUEUE};
	jsStreamConfig config;
	jsErrCode code = 0;
	jsOptions soon;
	natsStatus s = NATS_ERR;

	check(jsOptions_Init(&soon), "options");
	soon.Wait = START_MS;
	check(jsStreamConfig_Init(&config), "stream");
	config.Name = QUEUE;
	config.Subjects = subjects;
	config.SubjectsLen = 1;
	config.Storage = kept ? js_FileStorage : js_MemoryStorage;
	config.Retention = js_WorkQueuePolicy;
	/* The server listens a little before it answers this, and of two who make the stream at the
	 * same time it has refused one without saying that there is one already. */
	for (int i = 0; i < STARTS && s != NATS_OK; i++) {
		if (i > 0 && s != NATS_TIMEOUT)
			nats_Sleep(START_MS / 10);
		s = js_AddStream(NULL, c->js, &config, &soon, &code);
		if (code == JSStreamNameExistErr)
			return;
	}
	if (s != NATS_OK)
		die("nats: stream: %s, code %d", natsStatus_GetText(s), (int)code);
}

static void *
connect_client(const struct server *server, const struct load *load)
{
	struct client *c = zalloc(sizeof(*c));
	jsOptions options;
	char url[64];

	snprintf(url, sizeof(url), "nats://127.0.0.1:%d", server->port);
	c->load = load;
	check(natsOptions_Create(&c->options), "options");
	check(natsOptions_SetURL(c->options, url), "options");
	/* Else its library gathers for a millisecond, which is for many, not for one. */
	check(natsOptions_SetSendAsap(c->options, load->outstanding * load->batch == 1),
	      "options");
	check(natsConnection_Connect(&c->nc, c->options), url);
	check(jsOptions_Init(&options), "options");
	options.PublishAsync.MaxPending = load->outstanding * load->batch;
	options.PublishAsync.StallWait = WAIT_MS;
	options.Wait = WAIT_MS;
	check(natsConnection_JetStream(&c->js, c->nc, &options), "JetStream");
	make_stream(c, server->keeps);
	if (load->consumer)
		check(js_PullSubscribe(&c->sub, c->js, QUEUE, "workers", NULL, NULL,
				       NULL),
		      "subscribe");
	return c;
}

static void
put(void *client, unsigned n)
{
	struct client *c = client;
	const char *body = c->load->body;
	int size = (int)c->load->size;

	if (c->load->outstanding * c->load->batch == 1) {
		while (n-- > 0)
			check(js_Publish(NULL, c->js, QUEUE, body, size, NULL, NULL),
			      "publish");
		return;
	}
	while (n-- > 0)
		check(js_PublishAsync(c->js, QUEUE, body, size, NULL), "publish");
	check(js_PublishAsyncComplete(c->js, NULL), "publish");
}

static void
get(void *client, unsigned n)
{
	struct client *c = client;
	unsigned most = c->load->outstanding * c->load->batch;

	while (n > 0) {
		natsMsgList list = {NULL, 0};

		check(natsSubscription_Fetch(&list, c->sub, (int)(n < most ? n : most),
					     WAIT_MS, NULL),
		      "fetch");
		for (int i = 0; i < list.Count; i++) {
			load_got(c->load, natsMsg_GetData(list.Msgs[i]));
			check(natsMsg_Ack(list.Msgs[i], NULL), "ack");
		}
		n -= (unsigned)list.Count;
		natsMsgList_Destroy(&list);
	}
}

/* The server has read what was sent before. */
static void
settle(void *client)
{
	struct client *c = client;

	check(natsConnection_Flush(c->nc), "flush");
}

static void
close_client(void *client)
{
	struct client *c = client;

	natsSubscription_Destroy(c->sub);
	jsCtx_Destroy(c->js);
	natsConnection_Destroy(c->nc);
	natsOptions_Destroy(c->options);
	free(c);
}

const struct driver driver_nats = {
	.name = "nats",
	.tcp_only = true,
	.missing = missing,
	.start = start,
	.connect = connect_client,
	.put = put,
	.get = get,
	.settle = settle,
	.close = close_client,
};
