import { mount } from 'svelte';
import { watchLoading } from '../loading/again';
import WatchApp from '../ui/watch/WatchApp.svelte';
import '../ui/theme.css';
import { language } from '../words/language.svelte';

watchLoading();
language.announce();
const target = document.getElementById('app');
if (target !== null) mount(WatchApp, { target });
