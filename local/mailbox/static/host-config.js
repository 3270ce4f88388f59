// How Outlook dresses a card: type, space and colours for Microsoft's renderer.

const text = (plain, subtle) => ({ default: plain, subtle });
const foreground = {
  default: text("#1a1c20", "#5a616e"),
  dark: text("#1a1c20", "#5a616e"),
  light: text("#ffffff", "#e2e5ea"),
  accent: text("#1f5fbf", "#4a7fce"),
  good: text("#1c6b3c", "#3d8a5c"),
  warning: text("#8a5300", "#a56c1d"),
  attention: text("#a4262c", "#bb4f54"),
};
const container = (backgroundColor) => ({ backgroundColor, foregroundColors: foreground });

export const hostConfig = {
  supportsInteractivity: true,
  fontFamily: '"Segoe UI", system-ui, -apple-system, "Helvetica Neue", "Noto Sans", sans-serif',
  fontSizes: { small: 13, default: 15, medium: 17, large: 20, extraLarge: 24 },
  fontWeights: { lighter: 300, default: 400, bolder: 600 },
  spacing: { small: 6, default: 12, medium: 16, large: 22, extraLarge: 32, padding: 14 },
  separator: { lineThickness: 1, lineColor: "#e2e5ea" },
  imageSizes: { small: 40, medium: 80, large: 160 },
  containerStyles: {
    default: container("#ffffff"),
    emphasis: container("#f5f6f9"),
    accent: container("#e9f1fc"),
    good: container("#e8f5ed"),
    attention: container("#fdeeee"),
    warning: container("#fff6e0"),
  },
  inputs: {
    label: { inputSpacing: "small", requiredInputs: { weight: "bolder", suffix: " *" }, optionalInputs: { weight: "bolder" } },
    errorMessage: { size: "small", color: "attention", spacing: "small" },
  },
  actions: {
    maxActions: 6,
    spacing: "medium",
    buttonSpacing: 10,
    showCard: { actionMode: "inline", inlineTopMargin: 12, style: "emphasis" },
    actionsOrientation: "horizontal",
    actionAlignment: "left",
  },
  factSet: {
    title: { color: "default", isSubtle: true, weight: "default", wrap: true, maxWidth: 180 },
    value: { color: "default", weight: "default", wrap: true },
    spacing: 16,
  },
};
