// One face over three players: attach(video, urls, hooks, near, drm) -> { stats(), destroy() }.
// near: play low latency, as close to the live edge as the manifests ask for.
// drm: an entry of playback start's answer, or null: where licences are asked for, and with which headers.
// hooks.segment(url) is called for each media segment loaded, hooks.error(text, fatal) for each error.
// Each starts playing by its own means: dash.js refreshes live manifests only if it saw `play` itself.

const BEHIND_S = 6; // how far behind the live edge each player aims to stay when not near
const NEAR_S = 2;

/** The browser may want a click first; the controls are there. */
const start = (video) => video.play().catch(() => {});

const hlsLicences = ({ key_system, licence_url, headers }) => ({
  emeEnabled: true,
  drmSystems: { [key_system]: { licenseUrl: licence_url } },
  licenseXhrSetup(xhr, url) {
    xhr.open("POST", url, true);
    for (const [name, value] of Object.entries(headers)) xhr.setRequestHeader(name, value);
  },
});

function attachHls(video, urls, hooks, near, drm) {
  const pace = near
    ? { lowLatencyMode: true, maxLiveSyncPlaybackRate: 1.1 }
    : { lowLatencyMode: false, liveSyncDuration: BEHIND_S, liveMaxLatencyDuration: 20 };
  const hls = new window.Hls({ ...pace, backBufferLength: 30, ...(drm && hlsLicences(drm)) });
  hls.on(window.Hls.Events.MANIFEST_PARSED, () => start(video));
  hls.on(window.Hls.Events.FRAG_LOADED, (_, data) => hooks.segment((data.part ?? data.frag).url));
  hls.on(window.Hls.Events.ERROR, (_, data) => {
    hooks.error(`${data.details}${data.response?.code ? " " + data.response.code : ""}`, data.fatal);
    if (data.fatal && data.type === window.Hls.ErrorTypes.NETWORK_ERROR) hls.startLoad();
    if (data.fatal && data.type === window.Hls.ErrorTypes.MEDIA_ERROR) hls.recoverMediaError();
  });
  hls.loadSource(urls.hls);
  hls.attachMedia(video);
  return {
    stats: () => ({ bitrate: hls.levels[hls.currentLevel]?.bitrate ?? 0 }),
    destroy: () => hls.destroy(),
  };
}

// dash.js reports each download that it gave up; it then tries the next CDN by itself.
const DASH_DOWNLOADS = new Set([25, 26, 27, 28, 29]);

function attachDash(video, urls, hooks, near, drm) {
  const dash = window.dashjs.MediaPlayer().create();
  const { events } = window.dashjs.MediaPlayer;
  const catchup = { enabled: near };
  dash.updateSettings({ streaming: { delay: { liveDelay: near ? NEAR_S : BEHIND_S }, liveCatchup: catchup } });
  dash.on(events.FRAGMENT_LOADING_COMPLETED, (event) => {
    if (event.request.type === "MediaSegment" && !event.error) hooks.segment(event.request.url);
  });
  dash.on(events.ERROR, ({ error }) => {
    const text = `${error.code} ${error.message ?? ""}`.replace(/cat:[\w-]+/, "cat:…");
    hooks.error(text, !DASH_DOWNLOADS.has(error.code));
  });
  if (drm) {
    const { key_system, licence_url: serverURL, headers: httpRequestHeaders } = drm;
    dash.setProtectionData({ [key_system]: { serverURL, httpRequestHeaders } });
  }
  dash.initialize(video, near ? urls.near : urls.dash, true);
  return {
    stats: () => {
      const shown = dash.isReady() ? dash.getCurrentRepresentationForType("video") : null;
      return { bitrate: shown ? shown.bandwidth : 0 };
    },
    destroy: () => dash.destroy(),
  };
}

// Shaka counts liveSync from the end of its seek range, which is the presentation delay behind the
// live edge. It stays in one rendition: after a switch it looks segments up by time, which at times
// counted from 1970 ends between two segments, for ever, unless their duration is a binary fraction.
const NEAR_SHAKA = {
  abr: { enabled: false },
  manifest: { defaultPresentationDelay: NEAR_S - 0.5, dash: { ignoreSuggestedPresentationDelay: true } },
  streaming: {
    lowLatencyMode: true,
    liveSync: { enabled: true, targetLatency: 0.25, targetLatencyTolerance: 0.25 },
  },
};

function attachShaka(video, urls, hooks, near, drm) {
  window.shaka.polyfill.installAll();
  const player = new window.shaka.Player();
  const { SEGMENT: media, LICENSE: licence } = window.shaka.net.NetworkingEngine.RequestType;
  player.configure(near ? NEAR_SHAKA : { manifest: { defaultPresentationDelay: BEHIND_S } });
  player.addEventListener("error", ({ detail }) => hooks.error(`${detail.category}/${detail.code}`, detail.severity === 2));
  player.getNetworkingEngine().registerResponseFilter((type, response) => {
    if (type === media) hooks.segment(response.uri);
  });
  if (drm) {
    player.configure({ drm: { servers: { [drm.key_system]: drm.licence_url } } });
    player.getNetworkingEngine().registerRequestFilter((type, request) => {
      if (type === licence) Object.assign(request.headers, drm.headers);
    });
  }
  player
    .attach(video)
    .then(() => player.load(near ? urls.near : urls.dash))
    .then(() => start(video))
    .catch((error) => hooks.error(`${error.category ?? ""}/${error.code ?? error.message}`, true));
  return {
    stats: () => ({ bitrate: player.getStats().streamBandwidth || 0 }),
    destroy: () => player.destroy(),
  };
}

export const PLAYERS = { "hls.js": attachHls, "dash.js": attachDash, Shaka: attachShaka };
