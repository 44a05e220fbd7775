/* Browsers start no worker from a file: address. There, run its script in a hidden frame with the same interface, so that
   the search of the site works without a server. */
if (location.protocol === "file:") {
  window.Worker = class extends EventTarget {
    constructor(address) {
      super();
      this.waiting = [];
      this.frame = document.createElement("iframe");
      this.frame.hidden = true;
      const url = new URL(address, location.href).href;
      this.frame.srcdoc = `<script>
        postMessage = data => parent.dispatchEvent(new MessageEvent("frame-worker", { data }));
        importScripts = (...urls) => Promise.all(urls.map(url => new Promise((done, failed) => {
          const script = document.createElement("script");
          script.src = url; script.onload = done; script.onerror = failed;
          document.head.append(script);
        })));
        __index = parent.__index;
      <\/script><script src="${url}"><\/script>`;
      addEventListener("frame-worker", event => {
        const copy = new MessageEvent("message", { data: event.data });
        this.onmessage?.(copy);
        this.dispatchEvent(copy);
      });
      this.frame.addEventListener("load", () => {
        const waiting = this.waiting;
        this.waiting = null;
        waiting.forEach(data => this.deliver(data));
      });
      document.body.append(this.frame);
    }
    deliver(data) {
      this.frame.contentWindow.dispatchEvent(new MessageEvent("message", { data }));
    }
    postMessage(data) {
      this.waiting ? this.waiting.push(data) : this.deliver(data);
    }
    terminate() {
      this.frame.remove();
    }
  };
}
