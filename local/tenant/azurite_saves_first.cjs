// Loaded before Azurite (node --require): a write is answered once it is saved.
//
// Azurite keeps everything in memory and saves it every five seconds, so that `kill -9` takes back what was answered. The
// real service never does. Here one save covers all the writes that wait for it; each rewrites the whole file, which is
// what a tenant that gets killed can afford, and a fast one can't.
"use strict";
const http = require("http");
const Loki = require("lokijs");

const databases = new Set();
const configureOptions = Loki.prototype.configureOptions;
Loki.prototype.configureOptions = function (...given) {
  databases.add(this);
  return configureOptions.apply(this, given);
};
Loki.prototype.autosaveEnable = function () {};

function save(database) {
  return new Promise((done, failed) => database.saveDatabase((error) => (error ? failed(error) : done())));
}

let last = Promise.resolve();
let next = null;

// Resolves when everything that was done until now is on disk.
function saved() {
  if (next === null) {
    next = last.then(() => {
      last = next;
      next = null;
      return Promise.all([...databases].filter((database) => database.autosaveDirty()).map(save));
    });
  }
  return next;
}

const { write, end } = http.ServerResponse.prototype;
const READS = new Set(["GET", "HEAD", "OPTIONS"]);

http.ServerResponse.prototype.write = function (...given) {
  if (READS.has(this.req.method)) {
    return write.apply(this, given);
  }
  (this.held ??= []).push(given);
  return true;
};

http.ServerResponse.prototype.end = function (...given) {
  if (READS.has(this.req.method)) {
    return end.apply(this, given);
  }
  saved().then(
    () => {
      for (const part of this.held ?? []) {
        write.apply(this, part);
      }
      end.apply(this, given);
    },
    (error) => this.destroy(error),
  );
  return this;
};
